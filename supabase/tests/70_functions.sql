-- Promise: every function is named here with who may call it; every definer has a fixed search_path and stands
-- in private, out of the API's reach.
begin;
\ir support/tenants.psql
select plan(7);

create temporary table callers (function_name text, callers text);
insert into callers values
  ('private.create_organization', 'authenticated'),
  ('private.create_profile', ''),
  ('private.custom_access_token_hook', 'supabase_auth_admin'),
  ('private.enforce_member_ceiling', ''),
  ('private.enforce_permission_ceiling', ''),
  ('private.enforce_role_ceiling', ''),
  ('private.follow_email', ''),
  ('private.is_name', 'authenticated service_role'),
  ('private.keep_an_owner', ''),
  ('private.orgs_with', 'authenticated'),
  ('private.profile_name', ''),
  ('private.reaches_role', 'authenticated'),
  ('private.set_updated_at', ''),
  ('private.visible_users', 'authenticated'),
  ('public.create_organization', 'authenticated');

select results_eq(
  $$select
      format('%s.%s', pronamespace::regnamespace, proname) collate "C",
      concat_ws(' ', variadic array(
        select grantee from unnest(array['anon', 'authenticated', 'service_role', 'supabase_auth_admin']) as grantee
        where has_function_privilege(grantee, pg_proc.oid, 'execute')
      ))
    from pg_proc
    where pronamespace in ('public'::regnamespace, 'private'::regnamespace)
    order by 1$$,
  $$select function_name collate "C", callers from callers order by 1$$,
  'every function has the callers that stand here'
);
select is_empty(
  $$select proname from pg_proc
    where pronamespace in ('public'::regnamespace, 'private'::regnamespace)
      and not coalesce(
        case when prosecdef then 'search_path=pg_catalog, pg_temp' else 'search_path=""' end = any (proconfig), false
      )$$,
  'every function has a search_path without schemas of others, and a definer looks at temporary types last'
);
select is_empty(
  $$select proname from pg_proc where pronamespace = 'public'::regnamespace and prosecdef$$,
  'no definer function stands in the API'
);

-- What a later migration forgets to close is closed.
create table public.forgotten (id int);
create function public.forgotten() returns int language sql return 1;
select is_empty(
  $$select role from unnest(array['anon', 'authenticated', 'service_role']) as role
    where has_table_privilege(role, 'public.forgotten', 'select, insert, update, delete, truncate')$$,
  'a new table is closed'
);
select is_empty(
  $$select role from unnest(array['anon', 'authenticated', 'service_role']) as role
    where has_function_privilege(role, 'public.forgotten()', 'execute')$$,
  'a new function is closed'
);

create sequence public.forgotten_numbers;
select is_empty(
  $$select role from unnest(array['anon', 'authenticated', 'service_role']) as role
    where has_sequence_privilege(role, 'public.forgotten_numbers', 'usage, select, update')$$,
  'a new sequence is closed'
);
create function extensions.forgotten() returns int language sql return 1;
select ok(has_function_privilege('anon', 'extensions.forgotten()', 'execute'), 'an extension''s function is not');

select * from finish();
rollback;
