-- [auth.hook.custom_access_token]: the auth server calls this for every token it issues.
-- https://supabase.com/docs/guides/auth/auth-hooks/custom-access-token-hook
set local lock_timeout = '5s';

-- The claim spares a front end a query: which organizations to offer, in which role. It is a hint of the
-- moment of issue. Nothing in the database decides by it.
create function private.custom_access_token_hook(event jsonb) returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  -- 50 organizations make about 3 KB of token, 6 KB with the longest role keys; proxies refuse headers of 8 KB.
  most_orgs_in_token constant integer := 50;
  app_metadata jsonb := event #> '{claims,app_metadata}';
  orgs jsonb;
begin
  -- An account made by hand may have none: the auth server then says null.
  if jsonb_typeof(app_metadata) is distinct from 'object' then
    app_metadata := '{}';
  end if;

  select jsonb_object_agg(organization_id, role_key) into orgs
  from public.memberships
  where user_id = (event ->> 'user_id')::uuid
  having count(*) <= most_orgs_in_token;

  if found then
    app_metadata := app_metadata || jsonb_build_object('orgs', coalesce(orgs, '{}'));
  else
    app_metadata := app_metadata - 'orgs';
  end if;
  return jsonb_set(event, '{claims,app_metadata}', app_metadata);
end
$$;
comment on function private.custom_access_token_hook is
  'Writes app_metadata.orgs = {"<organization id>": "<role key>"} into a token; left out beyond 50 organizations.';

grant usage on schema private to supabase_auth_admin;
grant execute on function private.custom_access_token_hook to supabase_auth_admin;
