-- Promise: the hook tells a token the organizations of the moment, and is the auth server's alone.
begin;
\ir support/tenants.psql
select plan(13);

select is(
  tests.token('auditor') #> '{app_metadata,orgs}',
  jsonb_build_object(tests.id('acme'), 'custom:auditor'), 'organization and role'
);
select is(tests.token('nobody') #> '{app_metadata,orgs}', '{}', 'a user in none has an empty list');
select is(
  private.custom_access_token_hook(jsonb_build_object(
    'user_id', tests.id('nobody'), 'authentication_method', 'password',
    'claims', '{"aal": "aal1", "app_metadata": {"provider": "email", "orgs": {"made": "up"}}}'::jsonb
  )),
  jsonb_build_object(
    'user_id', tests.id('nobody'), 'authentication_method', 'password',
    'claims', '{"aal": "aal1", "app_metadata": {"provider": "email", "orgs": {}}}'::jsonb
  ),
  'orgs left in app_metadata are replaced, everything else is kept'
);

-- An account that was made by hand may have no metadata.
select is(
  private.custom_access_token_hook(jsonb_build_object('user_id', tests.id('nobody'), 'claims', claims)) -> 'claims',
  '{"app_metadata": {"orgs": {}}}', format('claims %s', claims)
)
from unnest(array['{"app_metadata": null}', '{}']::jsonb[]) as claims;

insert into public.organizations (name, slug) select 'Many', 'many-' || n from generate_series(1, 50) as n;
insert into public.memberships (organization_id, user_id, role_key)
select id, tests.id('nobody'), 'viewer' from public.organizations where slug ~ '^many-';
select is(
  (select count(*) from jsonb_object_keys(tests.token('nobody') #> '{app_metadata,orgs}')), 50::bigint,
  '50 organizations fit'
);
insert into public.memberships (organization_id, user_id, role_key)
values (tests.id('acme'), tests.id('nobody'), 'viewer');
select ok(
  not tests.token('nobody') -> 'app_metadata' ? 'orgs', 'more leave the claim out rather than cut it'
);
select is(
  private.custom_access_token_hook(jsonb_build_object(
    'user_id', tests.id('nobody'), 'claims', '{"app_metadata": {"orgs": {"made": "up"}}}'::jsonb
  )) -> 'claims',
  '{"app_metadata": {}}', 'nor is one kept that was there before'
);

select ok(has_schema_privilege('supabase_auth_admin', 'private', 'usage'), 'the auth server gets to the hook');

select function_privs_are(
  'private', 'custom_access_token_hook', array['jsonb'], role_name,
  case role_name when 'supabase_auth_admin' then array['EXECUTE'] else array[]::text[] end
)
from unnest(array['supabase_auth_admin', 'authenticated', 'anon', 'service_role']) as role_name;

select * from finish();
rollback;
