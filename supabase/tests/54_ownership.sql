-- Promise: an organization changes hands in one step, when both want it.
begin;
\ir support/tenants.psql
select plan(12);

create function tests.offer(p_name text) returns text
language sql
as $$ select tests.outcome(format('select public.offer_ownership(%L, %L)', tests.id('acme'), tests.id(p_name))) $$;
create function tests.accept() returns text
language sql
as $$ select tests.outcome(format('select public.accept_ownership(%L)', tests.id('acme'))) $$;

select tests.sign_in('admin');
select is(tests.offer('viewer'), 'denied', 'only an owner offers');
select is(tests.accept(), 'PT404 offer_not_found', 'nothing to accept without an offer');
select tests.sign_in('owner');
select is(tests.offer('outsider'), 'PT404 member_not_found', 'only to a member');
select is(tests.offer('owner'), 'PT404 member_not_found', 'not to oneself');
select lives_ok(format('select public.offer_ownership(%L, %L)', tests.id('acme'), tests.id('viewer')), 'offered');
select is(tests.accept(), 'PT404 offer_not_found', 'who offers does not accept');
select tests.sign_in('admin');
select is(tests.accept(), 'PT404 offer_not_found', 'nor does a third');

select tests.become_postgres();
update public.ownership_offers set expires_at = now();
select tests.sign_in('viewer');
select is(tests.accept(), 'PT404 offer_not_found', 'nor can it be accepted too late');
select tests.become_postgres();
update public.ownership_offers set expires_at = now() + interval '1 day';

select tests.sign_in('viewer');
select lives_ok(format('select public.accept_ownership(%L)', tests.id('acme')), 'accepted');
select results_eq(
  $$select user_id, role_key from public.memberships where user_id in (tests.id('owner'), tests.id('viewer')) order by role_key$$,
  $$values (tests.id('owner'), 'admin'), (tests.id('viewer'), 'owner')$$, 'owner and administrator have changed places'
);
select is(tests.accept(), 'PT404 offer_not_found', 'once');

-- An offer goes with either of the two.
select lives_ok(format('select public.offer_ownership(%1$L, %2$L); select public.remove_member(%1$L, %2$L)',
  tests.id('acme'), tests.id('spare')), 'removing the member withdraws the offer');

select * from finish();
rollback;
