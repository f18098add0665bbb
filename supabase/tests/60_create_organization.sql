-- Promise: create_organization makes the caller the owner, or says what to mend and changes nothing.
begin;
\ir support/tenants.psql
select plan(18);

create function tests.refusal(p_name text, p_slug text) returns text
language sql
as $$ select tests.outcome(format('select public.create_organization(%L, %L)', p_name, p_slug)) $$;

select tests.sign_in('nobody');
select results_eq(
  $$select name, slug, created_by from public.create_organization('  Initech ', 'Initech')$$,
  $$values ('Initech', 'initech', tests.id('nobody'))$$, 'the organization, trimmed and lower-cased'
);
select results_eq(
  $$select role_key from public.memberships where user_id = tests.id('nobody')$$,
  $$values ('owner')$$, 'the caller owns it, with the token they have'
);
select isnt_empty($$select from public.organizations where slug = 'initech'$$, 'and sees it');

select is(tests.refusal(name, slug), expected, format('%s / %s', left(name, 20), left(slug, 20)))
from (values
  ('Taken', 'acme-test', '23505 slug_taken'),
  ('Reserved', 'admin', '23514 slug_reserved'),
  ('Short', 'ab', '23514 invalid_slug'),
  ('Hyphen', 'a--b', '23514 invalid_slug'),
  ('Umlaut', 'käse-laden', '23514 invalid_slug'),
  ('Long', repeat('a', 49), '23514 invalid_slug'),
  (repeat('x', 101), 'long-name', '23514 invalid_organization_name'),
  ('   ', 'no-name', '23514 invalid_organization_name'),
  ('<b>Bold</b>', 'html-name', '23514 invalid_organization_name'),
  (null, 'null-name', '23502 missing_value'),
  ('Null', null, '23502 missing_value')
) as bad (name, slug, expected);

select tests.become_postgres();
select tests.become('authenticated', '{"role": "authenticated"}');
select throws_ok(
  $$select public.create_organization('Nobody', 'nobodys')$$, '42501', 'Sign in to create an organization.',
  'a token without a subject may not'
);
select tests.become_postgres();
select tests.become('authenticated', jsonb_build_object('role', 'authenticated', 'sub', tests.id('deleted')));
select throws_ok(
  $$select public.create_organization('Ghost', 'ghosts')$$, '42501', 'Sign in to create an organization.',
  'nor one of an account that is gone'
);
select tests.become_postgres();
select tests.sign_in('anon');
select is(tests.outcome($$select public.create_organization('Anon', 'anon-org')$$), 'denied', 'anon may not');

select tests.become_postgres();
select is(
  (select count(*) from public.organizations where slug not in ('initech', 'acme-test', 'globex-test')
    and created_at = now()), 0::bigint, 'a refused one leaves nothing behind'
);

select * from finish();
rollback;
