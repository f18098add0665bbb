-- Roles are few: what a tenant may make without end, everybody else's maintenance must one day delete.
set local lock_timeout = '5s';

-- A key that no role can have broke the index before it met the foreign key.
alter table public.role_permissions
  add constraint invalid_role_key check (char_length(role_key) <= 48) not valid;
alter table public.role_permissions validate constraint invalid_role_key;

-- Counted behind the organization's lock, as applications are.
create function private.limit_roles() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  most_roles constant integer := 100;
  organization uuid;
begin
  for organization in select distinct organization_id from added order by organization_id loop
    perform private.lock_organization(organization);
    if (select count(*) from public.roles where organization_id = organization) > most_roles then
      raise exception using errcode = 'PT429', hint = 'too_many_roles',
        message = format('An organization has at most %s roles of its own. Delete some first.', most_roles);
    end if;
  end loop;
  return null;
end
$$;

-- Before the audit log's triggers, in the order of their names.
create trigger a_limit after insert on public.roles
  referencing new table as added
  for each statement when (auth.role() is not null)
  execute function private.limit_roles();

-- As before, in one statement: the audit chain is the last of all locks, and comes with the first that changes anything.
-- The saves of a role take turns, so that each sees what the one before left.
create or replace function public.save_role(
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
  perform pg_advisory_xact_lock(hashtextextended(concat_ws('/', 'role', p_organization_id, p_key), 0));

  with role as (
    insert into public.roles (organization_id, key, name, description)
    values (p_organization_id, p_key, p_name, p_description)
    on conflict (scope_id, key) do update set name = excluded.name, description = excluded.description
    returning *
  ), withdrawn as (
    delete from public.role_permissions
    where organization_id = p_organization_id and role_key = p_key and permission <> all (p_permissions)
  ), permitted as (
    insert into public.role_permissions (organization_id, role_key, permission)
    select p_organization_id, p_key, wanted.permission from unnest(p_permissions) as wanted (permission)
    where not exists (
      select from public.role_permissions as present
      where present.organization_id = p_organization_id and present.role_key = p_key
        and present.permission = wanted.permission
    )
  )
  select * into saved from role;
  return saved;
end
$$;
comment on function public.save_role is
  'Creates or changes a tenant-defined role and what it permits. Codes (hint): not_permitted, permission_above_own, unknown_permission, too_many_roles; constraints: invalid_role_key, invalid_role_name.';
