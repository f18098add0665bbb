-- An invitation is a row for as long as it can be accepted: accepting, declining or revoking deletes it, so that
-- nothing can be spent twice. Nobody joins an organization without having accepted.
set local lock_timeout = '5s';

create table public.invitations (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  email text not null constraint invalid_email check (
    email = lower(email) and char_length(email) <= 254 and email ~ '\A[^@[:space:][:cntrl:]<>]+@[^@[:space:][:cntrl:]<>]+\.[^@[:space:][:cntrl:]<>]+\Z'
  ),
  role_key text not null,
  role_scope_id uuid not null generated always as (
    case when starts_with(role_key, 'custom:')
      then organization_id
      else '00000000-0000-0000-0000-000000000000'
    end
  ) stored,
  -- SHA-256 of a token with 244 random bits: shown once, never stored.
  token_hash bytea not null unique,
  invited_by uuid references public.users (id) on delete cascade,
  expires_at timestamptz not null default now() + interval '7 days',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint already_invited unique (organization_id, email),
  constraint role_in_use foreign key (role_scope_id, role_key) references public.roles (scope_id, key)
);
comment on table public.invitations is 'Open invitations. Gone once accepted, declined or revoked.';

create index invitations_invited_by on public.invitations (invited_by);
create index invitations_role on public.invitations (role_scope_id, role_key);

alter table public.invitations enable row level security;

create trigger set_updated_at before update on public.invitations
  for each row execute function private.set_updated_at();

revoke all on public.invitations from public, anon, authenticated, service_role;
grant select (
  id, organization_id, email, role_key, role_scope_id, invited_by, expires_at, created_at, updated_at
) on public.invitations to authenticated, service_role;
grant delete on public.invitations to service_role;

create policy "those who manage members read invitations" on public.invitations
  as permissive for select to authenticated
  using (organization_id = any ((select private.orgs_with('members.manage'))::uuid[]));

-- Members come in by invitation, and change by the functions that follow.
drop policy "members add members" on public.memberships;
drop policy "members change roles" on public.memberships;
drop policy "members remove members, and leave" on public.memberships;
revoke insert (organization_id, user_id, role_key), update (role_key), delete on public.memberships
  from authenticated;
drop trigger enforce_member_ceiling on public.memberships;
drop function private.enforce_member_ceiling();
