-- Nobody gives what they do not have: not a role above their own, not a permission they lack; nobody touches
-- a member or a role above them. Policies decide in which organizations one may manage; this decides how high.
set local lock_timeout = '5s';

-- True when the caller's role in the organization has every permission of the given role. Owners stand apart:
-- no set of permissions reaches them.
create function private.reaches_role(p_organization_id uuid, p_role_key text) returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  own public.memberships;
begin
  select * into own from public.memberships
  where organization_id = p_organization_id and user_id = auth.uid();

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

grant execute on function private.reaches_role to authenticated;

create function private.enforce_member_ceiling() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if tg_op <> 'INSERT' and not private.reaches_role(old.organization_id, old.role_key) then
    raise exception using errcode = '42501', hint = 'member_above_own',
      message = 'This member''s role is above yours. Ask somebody with that role or an owner.';
  end if;
  if tg_op <> 'DELETE' and not private.reaches_role(new.organization_id, new.role_key) then
    raise exception using errcode = '42501', hint = 'role_above_own',
      message = 'You can give a role only up to your own. Ask somebody with that role or an owner.';
  end if;
  return coalesce(new, old);
end
$$;

-- Whoever row security binds; definer functions and the service role answer for themselves.
create trigger enforce_member_ceiling before insert or update or delete on public.memberships
  for each row when (row_security_active('public.memberships'))
  execute function private.enforce_member_ceiling();

create function private.enforce_role_ceiling() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if not private.reaches_role(old.organization_id, old.key) then
    raise exception using errcode = '42501', hint = 'role_above_own',
      message = 'This role permits more than yours. Ask somebody with that role or an owner.';
  end if;
  return coalesce(new, old);
end
$$;

create trigger enforce_role_ceiling before update or delete on public.roles
  for each row when (row_security_active('public.roles'))
  execute function private.enforce_role_ceiling();

create function private.enforce_permission_ceiling() returns trigger
language plpgsql
set search_path = ''
as $$
declare
  touched public.role_permissions := coalesce(new, old);
begin
  if (touched.organization_id = any (private.orgs_with(touched.permission))) is not true then
    raise exception using errcode = '42501', hint = 'permission_above_own',
      message = format('You do not have the permission %s here, so you can neither give nor take it.', touched.permission);
  end if;
  if not private.reaches_role(touched.organization_id, touched.role_key) then
    raise exception using errcode = '42501', hint = 'role_above_own',
      message = 'This role permits more than yours. Ask somebody with that role or an owner.';
  end if;
  return touched;
end
$$;

create trigger enforce_permission_ceiling before insert or delete on public.role_permissions
  for each row when (row_security_active('public.role_permissions'))
  execute function private.enforce_permission_ceiling();
