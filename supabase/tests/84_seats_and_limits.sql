-- Promise: nobody joins past the plan's seats or creates past its limits, from the next statement on; what is there
-- stays; Stripe hears of members where it bills them.
begin;
\ir support/tenants.psql
\ir support/billing.psql
select plan(32);

update auth.users set email_confirmed_at = now();
create temporary table tokens (token text);
grant select, insert on tokens to authenticated;
create function tests.join() returns text
language plpgsql
as $$
declare
  result text;
begin
  perform tests.sign_in('nobody');
  result := tests.outcome((select format('select public.accept_invitation(%L)', token) from tokens));
  perform tests.become_postgres();
  return result;
end
$$;

select tests.sign_in('owner');
insert into tokens select token from public.invite_member(tests.id('acme'), 'nobody@example.com', 'viewer');
select tests.become_postgres();

-- seats: acme has seven
select is(tests.join(), 'PT402 limit_reached', 'the free plan has five seats, and those beyond them stay');
select tests.store(tests.subscription('sub_1'));
select is(tests.join(), 'yes', 'a larger plan has room at once');
select tests.store(tests.subscription('sub_1', '{"status": "unpaid"}'));
select is(tests.join(), 'PT402 limit_reached', 'while it is paid for');
select tests.store(tests.subscription('sub_1', '{}', 'price_by_seat'));
select is(tests.join(), 'PT402 limit_reached', 'one seat was bought');
select tests.store(tests.subscription('sub_1', '{"items": [{"id": "si_1", "price_id": "price_by_seat", "quantity": 8}]}'));
select is(tests.join(), 'yes', 'eight were');
update public.organizations set seat_limit = 7 where id = tests.id('acme');
select is(tests.join(), 'PT402 limit_reached', 'an operator may allow fewer');
update public.organizations set seat_limit = 100 where id = tests.id('acme');
select tests.store(tests.subscription('sub_1', '{"items": [{"id": "si_1", "price_id": "price_by_seat", "quantity": 7}]}'));
select is(tests.join(), 'PT402 limit_reached', 'and not more: that is an override');
insert into public.entitlement_overrides (organization_id, key, value, reason) values (tests.id('acme'), 'seats', 8, 'Agreed on.');
select is(tests.join(), 'yes', 'as this one');

-- what Stripe hears
create function tests.heard() returns bigint
language sql
as $$ select count(*) from private.outbox where kind = 'billing.seats' and organization_id = tests.id('acme') $$;
create function tests.claimed() returns bigint
language sql
as $$ select count(*) from public.claim_outbox('billing.seats', 1000) where organization_id = tests.id('acme') $$;
insert into public.memberships (organization_id, user_id, role_key) values (tests.id('acme'), tests.id('nobody'), 'viewer');
delete from public.memberships where user_id = tests.id('nobody');
select is(tests.heard(), 0::bigint, 'of members, where seats are bought or included, nothing');
select is_empty($$select * from public.billing_seats(tests.id('acme'))$$, 'as nothing follows them');

select tests.store(tests.subscription('sub_1', '{}', 'price_by_member'));
select is(tests.heard(), 1::bigint, 'bought for one though there are seven, Stripe hears of it');
select results_eq(
  $$select stripe_item_id, quantity, members, customer_id from public.billing_seats(tests.id('acme'))$$,
  $$values ('si_sub_1', 1, 7, 'cus_acme')$$, 'with both numbers'
);
insert into public.memberships (organization_id, user_id, role_key) values (tests.id('acme'), tests.id('nobody'), 'viewer');
delete from public.memberships where user_id = tests.id('spare');
select is(tests.heard(), 1::bigint, 'many changes are one word');
select is(tests.claimed(), 1::bigint, 'which one consumer takes');
select is(tests.heard(), 1::bigint, 'and nobody adds to');
insert into public.memberships (organization_id, user_id, role_key) values (tests.id('acme'), tests.id('spare'), 'viewer');
select is(tests.heard(), 2::bigint, 'a change after that is another');
select public.complete_outbox(array(select id from private.outbox where organization_id = tests.id('acme')));
update public.memberships set role_key = 'viewer' where user_id = tests.id('spare');
select is(tests.claimed(), 0::bigint, 'a change of roles is none');
select tests.store(tests.subscription('sub_1', '{"items": [{"id": "si_sub_1", "price_id": "price_by_member", "quantity": 8}]}'));
select is(tests.claimed(), 0::bigint, 'nor is the number that Stripe was told');
insert into public.memberships (organization_id, user_id, role_key) values (tests.id('globex'), tests.id('nobody'), 'viewer');
select is_empty($$select from private.outbox where organization_id = tests.id('globex')$$, 'others are not billed by member');
delete from public.entitlement_overrides where organization_id = tests.id('acme');
select is(tests.join(), '23505 already_member', 'no limit is no limit');

-- applications: acme has one
select tests.store(tests.subscription('sub_1', '{"status": "canceled"}'));
create function tests.create(p_count integer) returns text
language sql
as $$
  select tests.outcome(format(
    $sql$insert into public.applications (organization_id, name, slug)
      select tests.id('acme'), 'New', 'new-' || n from generate_series(1, %s) as n$sql$, p_count))
$$;
select tests.sign_in('developer');
select is(tests.create(2), 'yes', 'three applications are free');
select is(tests.create(3), 'PT402 limit_reached', 'a fourth is not, also in one statement');
select throws_like(
  $$insert into public.applications (organization_id, name, slug)
    select tests.id('acme'), 'New', 'new-' || n from generate_series(1, 3) as n$$,
  '%grants this organization 3 applications%', 'and one reads why'
);
select tests.sign_in('service_role');
select is(tests.create(3), 'PT402 limit_reached', 'nor for a server that asks for somebody');
select tests.become_postgres();
select is(tests.create(3), 'yes', 'an operator or an import is not asked');
insert into public.applications (organization_id, name, slug)
select tests.id('acme'), 'Old', 'old-' || n from generate_series(1, 5) as n;
select tests.sign_in('developer');
select is(tests.create(1), 'PT402 limit_reached', 'past the limit nothing is added');
select is(
  tests.outcome($$update public.applications set name = 'Renamed' where slug = 'old-1'$$), 'yes', 'but what is there stays'
);
select is(tests.outcome($$delete from public.applications where slug = 'old-1'$$), 'yes', 'or goes');
select tests.become_postgres();
update public.applications set archived_at = now() where slug ~ '^old-';
select tests.sign_in('developer');
select is(tests.create(1), 'PT402 limit_reached', 'archived ones count: they can come back');
select tests.become_postgres();
select tests.store(tests.subscription('sub_2', jsonb_build_object('created', tests.at('-11 days')), 'price_by_seat'));
select tests.sign_in('developer');
select is(tests.create(100), 'yes', 'with a plan without limit there is none');
select tests.sign_in('outsider');
select is(
  tests.outcome($$insert into public.applications (organization_id, name, slug)
    select tests.id('globex'), 'New', 'new-' || n from generate_series(1, 3) as n$$),
  'PT402 limit_reached', 'for its own organization'
);
select is(
  tests.outcome($$insert into public.applications (organization_id, name, slug) values (tests.id('globex'), 'New', 'new')$$),
  'yes', 'and the others have theirs'
);

select * from finish();
rollback;
