-- Threat: a token outlives what it was made from. The next statement must know.
begin;
\ir support/tenants.psql
select plan(11);

create temporary table tokens as
select name, tests.token(name) as claims from unnest(array['developer', 'viewer', 'auditor', 'nobody']) as name;

create function tests.with_old_token(p_name text) returns void
language plpgsql
as $$
declare
  claims jsonb;
begin
  perform tests.become_postgres();
  select tokens.claims into claims from tokens where name = p_name;
  perform tests.become('authenticated', claims);
end
$$;

select tests.with_old_token('developer');
select isnt_empty('select from public.applications', 'a member reads');

-- removed
select tests.become_postgres();
delete from public.memberships where user_id = tests.id('developer');
select tests.with_old_token('developer');
select is_empty('select from public.applications', 'a removed member reads nothing');
select is_empty('select from public.organizations', 'not even the organization''s name');
select throws_ok(
  $$insert into public.applications (organization_id, name, slug) values (tests.id('acme'), 'Late', 'late')$$,
  '42501', null, 'and writes nothing'
);

-- demoted, promoted
select tests.with_old_token('viewer');
select is(
  tests.outcome($$update public.applications set name = 'Renamed' where id = tests.id('rocket')$$), 'none',
  'a viewer writes nothing'
);
select tests.become_postgres();
update public.memberships set role_key = 'developer' where user_id = tests.id('viewer');
select tests.with_old_token('viewer');
select is(
  tests.outcome($$update public.applications set name = 'Renamed' where id = tests.id('rocket')$$), 'yes',
  'once promoted, writes with the same token'
);
select tests.become_postgres();
update public.memberships set role_key = 'billing' where user_id = tests.id('viewer');
select tests.with_old_token('viewer');
select is_empty('select from public.applications', 'once demoted, no longer reads with it');

-- a role that permits less, or more, from now on
select tests.become_postgres();
delete from public.role_permissions where role_key = 'custom:auditor' and permission = 'applications.read';
select tests.with_old_token('auditor');
select is_empty('select from public.applications', 'a permission withdrawn from a role is gone for its members');

-- added
select tests.become_postgres();
insert into public.memberships (organization_id, user_id, role_key)
values (tests.id('acme'), tests.id('nobody'), 'viewer');
select tests.with_old_token('nobody');
select isnt_empty('select from public.applications', 'a new member need not sign in again');

-- gone with the account, or the organization
select tests.become_postgres();
delete from auth.users where id = tests.id('nobody');
select tests.with_old_token('nobody');
select is_empty('select from public.applications', 'a deleted account''s token reads nothing');

select tests.become_postgres();
delete from public.organizations where id = tests.id('acme');
select tests.with_old_token('auditor');
select is_empty('select from public.organizations', 'nor does one of a deleted organization');

select * from finish();
rollback;
