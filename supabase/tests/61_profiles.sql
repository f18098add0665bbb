-- Promise: every account has a profile, whatever its metadata; it is seen by those who share an organization.
begin;
\ir support/tenants.psql
select plan(9);

insert into auth.users (id, email, raw_user_meta_data) values
  (tests.id('named'), 'named@example.com', '{"name": " Ada Lovelace "}'),
  (tests.id('full'), 'full@example.com', '{"full_name": "Grace Hopper"}'),
  (tests.id('hostile'), 'hostile@example.com', '{"name": "<script>alert(1)</script>"}'),
  (tests.id('long'), 'long@example.com', jsonb_build_object('name', repeat('x', 5000))),
  (tests.id('odd'), null, '{"name": {"not": "a string"}}'),
  (tests.id('bare'), 'bare@example.com', null);

select is((select name from public.users where id = tests.id('named')), 'Ada Lovelace', 'name, trimmed');
select is((select name from public.users where id = tests.id('full')), 'Grace Hopper', 'full_name');
select results_eq(
  $$select name from public.users where id in (tests.id('hostile'), tests.id('long'), tests.id('bare'))$$,
  $$values (null), (null), (null)$$, 'a name that the profile refuses does not refuse the account'
);
select isnt_empty($$select from public.users where id = tests.id('odd')$$, 'nor does metadata of another shape');

update auth.users set email = 'renamed@example.com' where id = tests.id('named');
select is((select email from public.users where id = tests.id('named')), 'renamed@example.com', 'e-mail follows');

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
select throws_ok(
  $$update public.users set avatar_url = 'javascript:alert(1)' where id = tests.id('nobody')$$, '23514', null,
  'an avatar is an https address'
);

select * from finish();
rollback;
