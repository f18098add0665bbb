-- Promise: an account that is deleted takes the person along and leaves the work.
begin;
\ir support/tenants.psql
select plan(8);

update public.users set name = 'Dora Developer' where id = tests.id('developer');
select tests.sign_in('developer');
insert into public.applications (organization_id, name, slug) values (tests.id('acme'), 'Legacy', 'legacy');
select tests.become_postgres();
update public.applications set archived_at = now() where slug = 'legacy';

select tests.sign_in('owner');
select is(tests.outcome('select public.delete_account()'), '23514 last_owner', 'the last owner stays');

select tests.sign_in('developer');
select lives_ok('select public.delete_account()', 'a member goes');
select is_empty('select from public.organizations', 'and their token with them');
select tests.become_postgres();
select is_empty($$select from auth.users where id = tests.id('developer')$$, 'the account is gone');
select is_empty($$select from public.users where id = tests.id('developer')$$, 'with the profile');
select is_empty($$select from public.memberships where user_id = tests.id('developer')$$, 'and the memberships');
select results_eq(
  $$select created_by from public.applications where slug = 'legacy'$$, $$values (null::uuid)$$, 'the work stays'
);
select is_empty(
  $$select from public.audit_log where before::text || after::text ~ 'developer@example|Dora'$$,
  'the trail has no personal data'
);

select * from finish();
rollback;
