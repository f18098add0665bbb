-- Threat: a member of one tenant reaches into another, by id, by reference or by moving a row.
begin;
\ir support/tenants.psql
select plan(11);

select tests.sign_in('owner');

select is_empty(
  $$select id from public.applications where organization_id = tests.id('globex')$$,
  'another tenant''s rows do not exist'
);
select is((select count(*) from public.applications), 1::bigint, 'an unfiltered list holds one''s own alone');
select is_empty(
  $$select id from public.users where id = tests.id('outsider')$$, 'nor do strangers'
);
select throws_ok(
  $$insert into public.applications (organization_id, name, slug) values (tests.id('globex'), 'Mole', 'mole')$$,
  '42501', null, 'nothing can be planted in another tenant'
);
select is(
  tests.outcome($$update public.applications set name = 'Mine' where id = tests.id('reactor')$$),
  'none', 'nothing of another tenant can be changed'
);
select is(
  tests.outcome($$delete from public.applications where id = tests.id('reactor')$$),
  'none', 'or deleted'
);
select throws_ok(
  $$update public.applications set organization_id = tests.id('globex') where id = tests.id('rocket')$$,
  '42501', null, 'a row cannot be moved to another tenant'
);
select throws_ok(
  $$update public.memberships set organization_id = tests.id('globex') where user_id = tests.id('owner')$$,
  '42501', null, 'nor a membership'
);
select throws_ok(
  $$update public.memberships set user_id = tests.id('nobody') where user_id = tests.id('spare')$$,
  '42501', null, 'nor can it be handed to somebody else'
);

-- Even for those whom no policy binds.
select tests.sign_in('service_role');
select throws_ok(
  $$update public.memberships set role_key = 'custom:foreign' where user_id = tests.id('spare')$$,
  '23503', null, 'a role defined by another tenant cannot be held'
);
select throws_ok(
  $$insert into public.role_permissions (organization_id, role_key, permission)
    values (tests.id('acme'), 'custom:foreign', 'applications.read')$$,
  '23503', null, 'or be given permissions'
);

select * from finish();
rollback;
