-- Who belongs to which organization, in which role.
set local lock_timeout = '5s';

create table public.memberships (
  organization_id uuid not null references public.organizations (id) on delete cascade,
  user_id uuid not null constraint unknown_user references public.users (id) on delete cascade,
  role_key text not null,
  -- A tenant-defined role can only be one of the same organization.
  role_scope_id uuid not null generated always as (
    case when starts_with(role_key, 'custom:')
      then organization_id
      else '00000000-0000-0000-0000-000000000000'
    end
  ) stored,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint already_member primary key (organization_id, user_id),
  constraint unknown_role foreign key (role_scope_id, role_key) references public.roles (scope_id, key)
);
comment on table public.memberships is 'Who belongs to which organization, in which role.';

-- Serves private.orgs_with without touching the table.
create index memberships_user on public.memberships (user_id) include (organization_id, role_scope_id, role_key);
create index memberships_role on public.memberships (role_scope_id, role_key);

alter table public.memberships enable row level security;

create trigger set_updated_at before update on public.memberships
  for each row execute function private.set_updated_at();
