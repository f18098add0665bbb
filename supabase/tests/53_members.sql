-- Promise: roles change, members are removed and leave, within what the caller may, and the answer says why not.
begin;
\ir support/tenants.psql
select plan(20);

create function tests.change(p_name text, p_role text) returns text
language sql
as $$
  select tests.outcome(format(
    'select public.change_member_role(%L, %L, %L)', tests.id('acme'), tests.id(p_name), p_role
  ))
$$;
create function tests.remove(p_name text) returns text
language sql
as $$
  select tests.outcome(format('select public.remove_member(%L, %L)', tests.id('acme'), tests.id(p_name)))
$$;
create function tests.leave() returns text
language sql
as $$ select tests.outcome(format('select public.leave_organization(%L)', tests.id('acme'))) $$;

select tests.sign_in('admin');
select is(tests.change('viewer', 'developer'), 'yes', 'an admin changes roles');
select is(tests.change('viewer', 'custom:auditor'), 'yes', 'also to tenant-defined ones');
select is(tests.change('admin', 'owner'), 'denied', 'does not become owner');
select is(tests.change('viewer', 'owner'), 'denied', 'makes no owner');
select is(tests.change('owner', 'viewer'), 'denied', 'demotes no owner');
select is(tests.remove('owner'), 'denied', 'removes no owner');
select is(tests.change('viewer', 'custom:foreign'), '22023 unknown_role', 'gives no foreign role');
select is(tests.change('outsider', 'viewer'), 'PT404 member_not_found', 'a stranger is no member');
select is(tests.remove('spare'), 'yes', 'removes');
select is(tests.leave(), 'yes', 'leaves');

select tests.sign_in('developer');
select is(tests.change('developer', 'admin'), 'denied', 'a developer does not become admin');
select is(tests.remove('spare'), 'denied', 'nor removes');
select is(tests.leave(), 'yes', 'but may leave');

select tests.sign_in('outsider');
select is(tests.change('spare', 'viewer'), 'denied', 'a stranger changes nothing');
select is(tests.remove('spare'), 'denied', 'removes nobody');
select is(tests.leave(), 'PT404 member_not_found', 'and has nothing to leave');

select tests.sign_in('owner');
select is(tests.leave(), '23514 last_owner', 'the last owner stays');
select is(tests.change('owner', 'admin'), '23514 last_owner', 'and stays owner');
select is(tests.change('viewer', 'owner'), 'yes', 'an owner makes owners');

-- A role that manages members and has little else.
select tests.become_postgres();
insert into public.role_permissions (organization_id, role_key, permission)
select tests.id('acme'), 'custom:auditor', unnest(array['members.read', 'members.manage']);
select tests.sign_in('auditor');
select is(tests.change('spare', 'developer'), 'denied', 'a role with more permissions is out of reach');

select * from finish();
rollback;
