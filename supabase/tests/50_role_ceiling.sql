-- Threat: a member raises themselves, or somebody else, above what they have.
begin;
\ir support/tenants.psql
select plan(15);

create function tests.give(p_name text, p_role text) returns text
language sql
as $$
  select format(
    'update public.memberships set role_key = %L where organization_id = %L and user_id = %L',
    p_role, tests.id('acme'), tests.id(p_name)
  )
$$;

select tests.sign_in('admin');
select throws_ok(tests.give('admin', 'owner'), '42501', null, 'an admin does not become owner');
select throws_ok(tests.give('viewer', 'owner'), '42501', null, 'nor makes one');
select throws_ok(
  format(
    'insert into public.memberships (organization_id, user_id, role_key) values (%L, %L, ''owner'')',
    tests.id('acme'), tests.id('nobody')
  ), '42501', null, 'nor adds one'
);
select throws_ok(tests.give('owner', 'viewer'), '42501', null, 'nor demotes one');
select throws_ok(
  format('delete from public.memberships where user_id = %L', tests.id('owner')), '42501', null, 'nor removes one'
);
select is(tests.outcome(tests.give('viewer', 'admin')), 'yes', 'but makes admins');
select is(tests.outcome(tests.give('viewer', 'custom:auditor')), 'yes', 'and gives tenant-defined roles');

select tests.sign_in('developer');
select is(tests.outcome(tests.give('developer', 'admin')), 'none', 'a developer does not become admin');
select is(
  tests.outcome(format('delete from public.memberships where user_id = %L', tests.id('developer'))), 'yes',
  'but may leave'
);

-- A tenant-defined role that manages members and roles, and has little else.
select tests.become_postgres();
insert into public.role_permissions (organization_id, role_key, permission)
select tests.id('acme'), 'custom:auditor', unnest(array['members.read', 'members.manage', 'roles.manage']);
select tests.sign_in('auditor');
select throws_ok(tests.give('spare', 'developer'), '42501', null, 'a role with more permissions is out of reach');
select is(tests.outcome(tests.give('spare', 'billing')), 'yes', 'one with fewer is not');
select throws_ok(
  format('delete from public.memberships where user_id = %L', tests.id('developer')), '42501', null,
  'nor is a member above touched'
);
select throws_ok(
  $$insert into public.role_permissions (organization_id, role_key, permission)
    values (tests.id('acme'), 'custom:auditor', 'applications.write')$$,
  '42501', null, 'a permission one lacks cannot be given, least of all to oneself'
);
select is(
  tests.outcome($$insert into public.role_permissions (organization_id, role_key, permission)
    values (tests.id('acme'), 'custom:unused', 'applications.read')$$),
  'yes', 'one that one has can'
);

-- Everything an owner may do, without being one.
select tests.become_postgres();
insert into public.role_permissions (organization_id, role_key, permission)
select tests.id('acme'), 'custom:unused', key from public.permissions;
update public.memberships set role_key = 'custom:unused' where user_id = tests.id('spare');
select tests.sign_in('spare');
select throws_ok(tests.give('spare', 'owner'), '42501', null, 'no set of permissions makes an owner');

select * from finish();
rollback;
