-- A role with its permissions, saved or deleted as one. Policies and the permission ceiling decide; these run
-- with the caller's own rights.
set local lock_timeout = '5s';

create function public.save_role(
  p_organization_id uuid, p_key text, p_name text, p_permissions text[], p_description text default ''
) returns public.roles
language plpgsql
set search_path = ''
as $$
declare
  saved public.roles;
begin
  perform private.require_permission(p_organization_id, 'roles.manage');
  -- Before the ceiling, which would call it one that the caller lacks.
  if exists (select unnest(p_permissions) except select key from public.permissions) then
    raise exception using errcode = '22023', hint = 'unknown_permission',
      message = 'There is no such permission. See the table permissions.';
  end if;
  insert into public.roles (organization_id, key, name, description)
  values (p_organization_id, p_key, p_name, p_description)
  on conflict (scope_id, key) do update set name = excluded.name, description = excluded.description
  returning * into saved;

  delete from public.role_permissions
  where organization_id = p_organization_id and role_key = p_key and permission <> all (p_permissions);
  insert into public.role_permissions (organization_id, role_key, permission)
  select p_organization_id, p_key, wanted.permission from unnest(p_permissions) as wanted (permission)
  where not exists (
    select from public.role_permissions as present
    where present.organization_id = p_organization_id and present.role_key = p_key
      and present.permission = wanted.permission
  );
  return saved;
end
$$;
comment on function public.save_role is
  'Creates or changes a tenant-defined role and what it permits. Codes (hint): not_permitted, permission_above_own, unknown_permission; constraints: invalid_role_key, invalid_role_name.';

-- Members and invitations with the role move to another one first.
create function private.delete_role(p_organization_id uuid, p_key text, p_reassign_to text) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform private.require_permission(p_organization_id, 'roles.manage');
  perform private.lock_organization(p_organization_id);
  perform from public.roles where organization_id = p_organization_id and key = p_key for update;
  if not found then
    raise exception using errcode = 'PT404', hint = 'role_not_found',
      message = 'There is no such role in this organization.';
  end if;
  if not private.reaches_role(p_organization_id, p_key) then
    raise exception using errcode = '42501', hint = 'role_above_own',
      message = 'This role is above yours. Ask somebody with that role or an owner.';
  end if;

  if p_reassign_to is not null then
    perform private.require_permission(p_organization_id, 'members.manage');
    perform private.require_assignable_role(p_organization_id, p_reassign_to);
    perform from public.invitations
    where organization_id = p_organization_id and role_key = p_key
    order by id
    for update;
    update public.memberships set role_key = p_reassign_to
    where organization_id = p_organization_id and role_key = p_key;
    update public.invitations set role_key = p_reassign_to
    where organization_id = p_organization_id and role_key = p_key;
  end if;
  delete from public.roles where organization_id = p_organization_id and key = p_key;
exception
  when foreign_key_violation then
    raise exception using errcode = 'PT409', hint = 'role_in_use',
      message = 'Members or invitations have this role. Say which role they get instead.';
end
$$;

create function public.delete_role(p_organization_id uuid, p_key text, p_reassign_to text default null)
returns void
language sql
set search_path = ''
as $$ select private.delete_role(p_organization_id, p_key, p_reassign_to) $$;
comment on function public.delete_role is
  'Codes (hint): not_permitted, role_not_found, role_above_own, role_in_use, unknown_role.';

grant execute on function private.require_permission to authenticated;
grant execute on function public.save_role, private.delete_role, public.delete_role to authenticated;
