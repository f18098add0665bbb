-- A role is a set of permissions. Five belong to the system and are the same everywhere; tenants add their own.
set local lock_timeout = '5s';

-- Keys of tenant-defined roles begin with `custom:`, so that a key alone tells where its role is defined:
-- in its organization, or (scope_id: the nil UUID) in the system.
create table public.roles (
  organization_id uuid references public.organizations (id) on delete cascade,
  key text not null constraint invalid_role_key check (
    case when organization_id is null
      then key ~ '^[a-z]+$'
      else key ~ '^custom:[a-z0-9]+([_-][a-z0-9]+)*$' and char_length(key) <= 48
    end
  ),
  name text not null constraint invalid_role_name check (private.is_name(name)),
  description text not null default '' constraint invalid_role_description
    check (char_length(description) <= 500),
  scope_id uuid not null
    generated always as (coalesce(organization_id, '00000000-0000-0000-0000-000000000000')) stored,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint role_key_taken primary key (scope_id, key)
);
comment on table public.roles is 'Roles: the system''s five (no organization), and those a tenant defined.';
comment on column public.roles.scope_id is 'Where the role is defined: its organization, or the nil UUID for the system.';

create index roles_organization on public.roles (organization_id, key);

create table public.role_permissions (
  organization_id uuid references public.organizations (id) on delete cascade,
  role_key text not null,
  permission text not null constraint unknown_permission references public.permissions (key),
  scope_id uuid not null
    generated always as (coalesce(organization_id, '00000000-0000-0000-0000-000000000000')) stored,
  constraint already_permitted primary key (permission, scope_id, role_key),
  constraint unknown_role foreign key (scope_id, role_key)
    references public.roles (scope_id, key) on delete cascade
);
comment on table public.role_permissions is 'What each role permits. A change holds for all its members at once.';

create index role_permissions_role on public.role_permissions (scope_id, role_key);
create index role_permissions_organization on public.role_permissions (organization_id, role_key);

alter table public.roles enable row level security;
alter table public.role_permissions enable row level security;

create trigger set_updated_at before update on public.roles
  for each row execute function private.set_updated_at();

insert into public.roles (key, name, description) values
  ('owner', 'Owner', 'May do everything, and alone makes and unmakes owners.'),
  ('admin', 'Administrator', 'Runs the organization and its members.'),
  ('developer', 'Developer', 'Builds: writes what the product is made of.'),
  ('billing', 'Billing', 'Sees to plans and invoices, and not to what is built.'),
  ('viewer', 'Viewer', 'Reads.');

insert into public.role_permissions (role_key, permission)
select role_key, permission
from (values
  ('owner', array['organizations.read', 'organizations.update', 'members.read', 'members.manage', 'roles.manage']),
  ('admin', array['organizations.read', 'organizations.update', 'members.read', 'members.manage', 'roles.manage']),
  ('developer', array['organizations.read', 'members.read']),
  ('billing', array['organizations.read', 'members.read']),
  ('viewer', array['organizations.read', 'members.read'])
) as grants (role_key, permissions), unnest(permissions) as permission;
