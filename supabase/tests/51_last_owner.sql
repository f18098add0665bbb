-- Threat: an organization without an owner, by whatever way.
begin;
\ir support/tenants.psql
select plan(9);

select tests.sign_in('owner');
select throws_ok(
  $$select public.leave_organization(tests.id('acme'))$$, '23514', null, 'the last owner cannot leave'
);
select throws_ok(
  $$select public.change_member_role(tests.id('acme'), tests.id('owner'), 'admin')$$, '23514', null, 'or step down'
);

select tests.sign_in('service_role');
select throws_ok(
  $$delete from public.memberships where user_id = tests.id('owner')$$, '23514', null, 'or be removed by a server'
);
select throws_ok(
  $$update public.memberships set organization_id = tests.id('globex') where user_id = tests.id('owner')$$, '23514', null,
  'or be moved'
);
select throws_ok(
  $$insert into public.memberships (organization_id, user_id, role_key)
    values (tests.id('acme'), tests.id('owner'), 'viewer')
    on conflict (organization_id, user_id) do update set role_key = excluded.role_key$$, '23514', null, 'or be upserted'
);
select tests.become_postgres();
select throws_ok(
  $$delete from auth.users where id = tests.id('owner')$$, '23514', null, 'or vanish with their account'
);

update public.memberships set role_key = 'owner' where user_id = tests.id('admin');
select tests.sign_in('owner');
select lives_ok(
  $$select public.change_member_role(tests.id('acme'), tests.id('owner'), 'viewer')$$,
  'with a second owner the first may step down'
);

select tests.become_postgres();
select throws_ok(
  $$update public.memberships set role_key = 'viewer' where organization_id = tests.id('acme')$$, '23514', null,
  'one statement cannot demote them all'
);
select lives_ok(
  $$delete from public.organizations where id = tests.id('acme')$$, 'with the organization, its owners go'
);

select * from finish();
rollback;
