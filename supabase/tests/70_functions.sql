-- Promise: every function is named here with who may call it; every definer has a fixed search_path and stands
-- in private, out of the API's reach.
begin;
\ir support/tenants.psql
select plan(5);

create temporary table callers (function_name text, callers text);
insert into callers values
  ('private.create_organization', 'authenticated'),
  ('private.create_profile', ''),
  ('private.custom_access_token_hook', 'supabase_auth_admin'),
  ('private.enforce_member_ceiling', ''),
  ('private.enforce_permission_ceiling', ''),
  ('private.follow_email', ''),
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
      and not coalesce('search_path=""' = any (proconfig), false)$$,
  'every function has an empty search_path'
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

select * from finish();
rollback;
