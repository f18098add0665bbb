-- Threat: claims that users can influence, or that lie. user_metadata is theirs to write.
begin;
\ir support/tenants.psql
select plan(7);

create function tests.claims_of_nobody(p_more jsonb) returns void
language sql
as $$
  select tests.become('none', null);
  select tests.become('authenticated', tests.token('nobody') || p_more)
$$;

select tests.claims_of_nobody(jsonb_build_object(
  'user_metadata', jsonb_build_object('orgs', jsonb_build_object(tests.id('acme'), 'owner'), 'sub', tests.id('owner'))
));
select is_empty('select from public.organizations', 'orgs in user_metadata have no effect');

select tests.claims_of_nobody(jsonb_build_object('orgs', jsonb_build_object(tests.id('acme'), 'owner')));
select is_empty('select from public.organizations', 'nor orgs at the top of the token');

select tests.claims_of_nobody(jsonb_build_object(
  'app_metadata', jsonb_build_object('orgs', jsonb_build_object(tests.id('acme'), 'owner'))
));
select is_empty('select from public.organizations', 'nor orgs that were never true');
select is(private.orgs_with('applications.write'), '{}', 'the helper gives no organization for them');

-- A token that knows no organizations: an auth server without the hook.
select tests.become_postgres();
select tests.become('authenticated', jsonb_build_object('sub', tests.id('viewer'), 'role', 'authenticated'));
select isnt_empty('select from public.applications', 'a member without the claim reads');

select tests.become_postgres();
select tests.become('authenticated', '{"role": "authenticated"}');
select is_empty('select from public.organizations', 'a token without a subject is nobody''s');

select tests.become_postgres();
select tests.become('authenticated', null);
select is_empty('select from public.organizations', 'no token, nothing');

select * from finish();
rollback;
