set local lock_timeout = '5s';

-- As before, with `active`.
create or replace function private.orgs_with(p_permission text) returns uuid[]
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  caller constant uuid := (nullif(current_setting('request.jwt.claims', true), '')::json ->> 'sub')::uuid;
begin
  return array(
    select membership.organization_id
    from public.memberships as membership
    where membership.user_id = caller
      and membership.active
      and case when starts_with(membership.role_key, 'custom:')
        then exists (
          select from public.role_permissions as granted
          where granted.permission = p_permission
            and granted.scope_id = membership.role_scope_id
            and granted.role_key = membership.role_key
        )
        -- The system's roles are read once for all of the caller's organizations.
        else membership.role_key = any (array(
          select granted.role_key from public.role_permissions as granted
          where granted.permission = p_permission
            and granted.scope_id = '00000000-0000-0000-0000-000000000000'
        ))
      end
  );
end
$$;

drop index public.memberships_user;

-- As before, with `active`.
create or replace function private.custom_access_token_hook(event jsonb) returns jsonb
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
  where user_id = (event ->> 'user_id')::uuid and active
  having count(*) <= most_orgs_in_token;

  if found then
    app_metadata := app_metadata || jsonb_build_object('orgs', coalesce(orgs, '{}'));
  else
    app_metadata := app_metadata - 'orgs';
  end if;
  return jsonb_set(event, '{claims,app_metadata}', app_metadata);
end
$$;

-- As before, with `active`: nobody gives anything in a closed organization.
create or replace function private.user_reaches_role(p_user_id uuid, p_organization_id uuid, p_role_key text)
returns boolean
language plpgsql stable
set search_path = ''
as $$
declare
  own public.memberships;
begin
  select * into own from public.memberships
  where organization_id = p_organization_id and user_id = p_user_id and active;

  if own.role_key = 'owner' then
    return true;
  end if;
  return own.role_key is not null and p_role_key <> 'owner' and not exists (
    select permission from public.role_permissions
    where role_key = p_role_key and (organization_id is null or organization_id = p_organization_id)
    except
    select permission from public.role_permissions
    where role_key = own.role_key and scope_id = own.role_scope_id
  );
end
$$;

create function private.closed_orgs_owned() returns uuid[]
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return array(
    select organization_id from public.memberships
    where user_id = auth.uid() and role_key = 'owner' and not active
  );
end
$$;

grant execute on function private.closed_orgs_owned to authenticated;

alter policy "members read their organizations" on public.organizations
  using (
    id = any ((select private.orgs_with('organizations.read'))::uuid[])
    or id = any ((select private.closed_orgs_owned())::uuid[])
  );

alter policy "members read memberships, and their own" on public.memberships
  using (
    organization_id = any ((select private.orgs_with('members.read'))::uuid[])
    or (user_id = (select auth.uid()) and active)
  );

create function private.close_organization(p_organization_id uuid) returns public.organizations
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  organization public.organizations;
begin
  perform private.require_permission(p_organization_id, 'organizations.delete');
  perform private.lock_organization(p_organization_id);
  update public.organizations set closed_at = now() where id = p_organization_id and closed_at is null
  returning * into organization;
  update public.memberships set active = false where organization_id = p_organization_id;
  delete from public.ownership_offers where organization_id = p_organization_id;
  return organization;
end
$$;

create function private.restore_organization(p_organization_id uuid) returns public.organizations
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  organization public.organizations;
begin
  perform private.lock_organization(p_organization_id);
  update public.organizations set closed_at = null
  where id = any (private.closed_orgs_owned()) and id = p_organization_id
    and closed_at > now() - interval '30 days'
  returning * into organization;
  if not found then
    raise exception using errcode = 'PT404', hint = 'organization_not_found',
      message = 'There is no closed organization of yours with this id. After 30 days it is gone.';
  end if;
  update public.memberships set active = true where organization_id = p_organization_id;
  return organization;
end
$$;

create function public.close_organization(p_organization_id uuid) returns public.organizations
language sql
set search_path = ''
as $$ select * from private.close_organization(p_organization_id) $$;
comment on function public.close_organization is
  'Closes it for everybody at once; its owners can restore it for 30 days, then it is purged. Codes (hint): not_permitted.';

create function public.restore_organization(p_organization_id uuid) returns public.organizations
language sql
set search_path = ''
as $$ select * from private.restore_organization(p_organization_id) $$;
comment on function public.restore_organization is 'For owners, within 30 days. Codes (hint): organization_not_found.';

grant execute on function
  private.close_organization, private.restore_organization, public.close_organization, public.restore_organization
  to authenticated;
