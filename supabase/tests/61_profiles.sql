-- Promise: every account has a profile, whatever its metadata; it is seen by those who share an organization.
begin;
\ir support/tenants.psql
select plan(11);

insert into auth.users (id, email, raw_user_meta_data) values
  (tests.id('named'), 'named@example.com', '{"name": " Ada Lovelace ", "full_name": "Augusta"}'),
  (tests.id('full'), 'full@example.com', '{"full_name": "Grace Hopper"}'),
  (tests.id('hostile'), 'hostile@example.com', '{"name": "<script>alert(1)</script>"}'),
  (tests.id('long'), 'long@example.com', jsonb_build_object('name', repeat('x', 5000))),
  (tests.id('odd'), null, '{"name": {"not": "a string"}}'),
  (tests.id('bare'), 'bare@example.com', null);

select is((select name from public.users where id = tests.id('named')), 'Ada Lovelace', 'name before full_name, trimmed');
select is((select name from public.users where id = tests.id('full')), 'Grace Hopper', 'full_name');
select results_eq(
  $$select name from public.users where id in (tests.id('hostile'), tests.id('long'), tests.id('bare'))$$,
  $$values (null), (null), (null)$$, 'a name that the profile refuses does not refuse the account'
);
select isnt_empty($$select from public.users where id = tests.id('odd')$$, 'nor does metadata of another shape');

update auth.users set email = 'renamed@example.com' where id = tests.id('named');
select is((select email from public.users where id = tests.id('named')), 'renamed@example.com', 'e-mail follows');
select is((select email from public.users where id = tests.id('full')), 'full@example.com', 'one''s own alone');

select tests.sign_in('viewer');
select set_eq(
  'select id from public.users',
  $$select tests.id(name) from unnest(array['owner', 'admin', 'developer', 'billing', 'viewer', 'auditor', 'spare']) as name$$,
  'members see each other and nobody else'
);
select is(
  tests.outcome($$update public.users set name = 'Me' where id = tests.id('viewer')$$), 'yes', 'and change themselves'
);
select tests.sign_in('nobody');
select results_eq('select id from public.users', $$values (tests.id('nobody'))$$, 'alone, one sees oneself');

select tests.become_postgres();
update public.applications set created_by = tests.id('spare') where id = tests.id('rocket');
update public.organizations set created_by = tests.id('spare') where id = tests.id('acme');
delete from auth.users where id = tests.id('spare');
select is_empty($$select from public.users where id = tests.id('spare')$$, 'a profile goes with its account');
select results_eq(
  $$select created_by from public.applications where id = tests.id('rocket')
    union all select created_by from public.organizations where id = tests.id('acme')$$,
  $$values (null::uuid), (null)$$, 'what they made stays'
);

select * from finish();
rollback;
