-- Threat: a member raises themselves, or somebody else, above what they have.
begin;
\ir support/tenants.psql
select plan(32);

create function tests.give(p_name text, p_role text) returns text
language sql
as $$
  select format('select public.change_member_role(%L, %L, %L)', tests.id('acme'), tests.id(p_name), p_role)
$$;
create function tests.remove(p_name text) returns text
language sql
as $$
  select format('select public.remove_member(%L, %L)', tests.id('acme'), tests.id(p_name))
$$;
create function tests.leave() returns text
language sql
as $$
  select format('select public.leave_organization(%L)', tests.id('acme'))
$$;

select tests.sign_in('admin');
select throws_ok(tests.give('admin', 'owner'), '42501', null, 'an admin does not become owner');
select throws_ok(tests.give('viewer', 'owner'), '42501', null, 'nor makes one');
select throws_ok(
  format('select public.invite_member(%L, ''nobody@example.com'', ''owner'')', tests.id('acme')), '42501', null,
  'nor invites one'
);
select throws_ok(tests.give('owner', 'viewer'), '42501', null, 'nor demotes one');
select throws_ok(
  tests.remove('owner'), '42501', null, 'nor removes one'
);
select is(tests.outcome(tests.give('viewer', 'admin')), 'yes', 'but makes admins');
select is(tests.outcome(tests.give('viewer', 'custom:auditor')), 'yes', 'and gives tenant-defined roles');
select is(tests.outcome(tests.give('viewer', 'billing')), 'yes', 'and makes and removes those who pay the bills');
select is(tests.outcome(tests.remove('billing')), 'yes', 'who are not above');

select tests.sign_in('developer');
select is(tests.outcome(tests.give('developer', 'admin')), 'denied', 'a developer does not become admin');
select is(
  tests.outcome(tests.leave()), 'yes',
  'but may leave'
);
select tests.sign_in('auditor');
select is(
  tests.outcome(tests.leave()), 'yes',
  'as may a member who does not see the others'
);
select is_empty(
  format('select from public.memberships where user_id <> %L', tests.id('auditor')), 'of whom one''s own is no sight'
);

-- A tenant-defined role that manages members and roles, and has little else; one above it, and one above it in
-- another tenant, where the same person owns.
select tests.become_postgres();
insert into public.roles (organization_id, key, name) values
  (tests.id('acme'), 'custom:grand', 'Grand'), (tests.id('acme'), 'custom:vacant', 'Vacant'),
  (tests.id('globex'), 'custom:unused', 'Namesake'), (tests.id('globex'), 'custom:auditor', 'Namesake');
insert into public.role_permissions (organization_id, role_key, permission)
select organization_id, roles.key, permissions.key
from public.roles, public.permissions
where (organization_id, roles.key) in (
  (tests.id('acme'), 'custom:grand'), (tests.id('acme'), 'custom:vacant'),
  (tests.id('globex'), 'custom:unused'), (tests.id('globex'), 'custom:auditor')
);
select tests.sign_up('grandee');
insert into public.memberships (organization_id, user_id, role_key) values
  (tests.id('acme'), tests.id('grandee'), 'custom:grand'), (tests.id('globex'), tests.id('auditor'), 'owner');
insert into public.role_permissions (organization_id, role_key, permission)
select tests.id('acme'), 'custom:auditor', permission
from (
  select unnest(array['members.read', 'members.manage', 'roles.manage'])
  union
  select permission from public.role_permissions where role_key in ('viewer', 'billing')
) as little (permission)
on conflict do nothing;
select tests.sign_in('auditor');
select throws_ok(tests.give('spare', 'developer'), '42501', null, 'a role with more permissions is out of reach');
select throws_ok(tests.give('spare', 'custom:grand'), '42501', null, 'be it the tenant''s own');
select throws_ok(tests.give('auditor', 'custom:grand'), '42501', null, 'or for oneself');
select is(tests.outcome(tests.give('spare', 'viewer')), 'yes', 'one with fewer is not');
select is(tests.outcome(tests.give('spare', 'custom:unused')), 'yes', 'be it a namesake of one with more elsewhere');
select throws_ok(tests.give('grandee', 'billing'), '42501', null, 'a member above cannot be lowered');
select throws_ok(
  tests.remove('developer'), '42501', null,
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

-- Roles above one's own: their members would be touched.
select throws_ok(
  $$delete from public.role_permissions where role_key = 'custom:grand' and permission = 'roles.manage'$$,
  '42501', null, 'a role above permits what it permits'
);
select throws_ok(
  $$delete from public.role_permissions where role_key = 'custom:grand' and permission = 'applications.write'$$,
  '42501', null, 'all the more what one lacks oneself'
);
select throws_ok(
  $$update public.roles set name = 'Intern' where key = 'custom:grand'$$, '42501', null, 'keeps its name'
);
select throws_ok($$delete from public.roles where key = 'custom:vacant'$$, '42501', null, 'and stays');
select is(
  tests.outcome($$update public.roles set name = 'Reviewer' where organization_id = tests.id('acme') and key = 'custom:auditor'$$),
  'yes', 'one''s own is not above'
);
select is(
  tests.outcome($$delete from public.role_permissions
    where organization_id = tests.id('acme') and role_key = 'custom:auditor' and permission = 'roles.manage'$$),
  'yes', 'nor is it kept from being less'
);
select ok(
  not private.reaches_role(tests.id('nowhere'), 'custom:none'), 'where one does not belong, not even an empty role is in reach'
);

-- Everything an owner may do, without being one.
select tests.become_postgres();
insert into public.role_permissions (organization_id, role_key, permission)
select tests.id('acme'), 'custom:unused', key from public.permissions;
update public.memberships set role_key = 'custom:unused' where user_id = tests.id('spare');
select tests.sign_in('spare');
select throws_ok(tests.give('spare', 'owner'), '42501', null, 'no set of permissions makes an owner');
select is(tests.outcome(tests.give('admin', 'developer')), 'yes', 'but reaches every other role');

select tests.become_postgres();
select is_empty(
  $$select tgname from pg_trigger where tgname ~ '^enforce_' and pg_get_triggerdef(oid) !~ 'row_security_active'$$,
  'ceilings hold for every role that row security binds, whatever its name'
);

select * from finish();
rollback;
