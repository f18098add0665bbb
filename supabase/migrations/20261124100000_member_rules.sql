-- What the functions below begin with. Their locks are taken in one order: organization, then role, invitation or
-- ownership offer, then memberships by user. All of them before the first change, since that one takes the audit
-- chain, which is the last of all locks.
set local lock_timeout = '5s';

-- Unknown and foreign organizations are refused alike.
create function private.require_permission(p_organization_id uuid, p_permission text) returns void
language plpgsql stable
set search_path = ''
as $$
begin
  if p_organization_id is null or not p_organization_id = any (private.orgs_with(p_permission)) then
    raise exception using errcode = '42501', hint = 'not_permitted',
      message = format('You need the permission %s in this organization.', p_permission);
  end if;
end
$$;

-- One change of an organization's people at a time; each sees what the one before left.
create function private.lock_organization(p_organization_id uuid) returns void
language sql
set search_path = ''
as $$
  select from public.organizations where id = p_organization_id for no key update
$$;

create function private.user_reaches_role(p_user_id uuid, p_organization_id uuid, p_role_key text) returns boolean
language plpgsql stable
set search_path = ''
as $$
declare
  own public.memberships;
begin
  select * into own from public.memberships
  where organization_id = p_organization_id and user_id = p_user_id;

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

create or replace function private.reaches_role(p_organization_id uuid, p_role_key text) returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select private.user_reaches_role(auth.uid(), p_organization_id, p_role_key)
$$;

-- A role that exists here and is not above the caller's.
create function private.require_assignable_role(p_organization_id uuid, p_role_key text) returns void
language plpgsql stable
set search_path = ''
as $$
begin
  if not exists (
    select from public.roles
    where key = p_role_key and (organization_id is null or organization_id = p_organization_id)
  ) then
    raise exception using errcode = '22023', hint = 'unknown_role',
      message = 'There is no such role in this organization.';
  end if;
  if not private.reaches_role(p_organization_id, p_role_key) then
    raise exception using errcode = '42501', hint = 'role_above_own',
      message = 'You can give a role only up to your own. Ask somebody with that role or an owner.';
  end if;
end
$$;
