-- The keys that a tenant's own programs call with. What authenticates is elsewhere (api_key_secrets): whoever reads
-- this table learns nothing to call with.
set local lock_timeout = '5s';

insert into public.permissions (key, description) values
  ('api_keys.read', 'See the organization''s API keys, without their secrets.'),
  ('api_keys.manage', 'Create, change, rotate and revoke API keys, up to one''s own permissions.');
insert into public.role_permissions (role_key, permission) values
  ('owner', 'api_keys.read'), ('owner', 'api_keys.manage'),
  ('admin', 'api_keys.read'), ('admin', 'api_keys.manage'),
  ('developer', 'api_keys.read'), ('developer', 'api_keys.manage');

insert into public.entitlement_keys (key, unit, default_value, description) values
  ('api_keys', 'count', 5, 'API keys that are neither revoked nor expired.'),
  ('api_requests.per_month', 'per_month', 10000, 'API requests in a calendar month (UTC).'),
  ('api_requests.per_second', 'per_second', 10, 'API requests in a second, of all keys together.'),
  ('key_requests.per_second', 'per_second', 10, 'API requests in a second, of one key.');

-- What a browser sends as Origin: scheme and host, and a port where it is not the usual one.
create function private.valid_origins(p_origins text[]) returns boolean
language sql immutable
set search_path = ''
as $$
  select coalesce(
    bool_and(
      origin is not null and origin ~ '\Ahttps?://([a-z0-9._-]{1,253}|\[[0-9a-f:.]+\])(:[0-9]{1,5})?\Z'
      and origin !~ '\A(http://.*:80|https://.*:443)\Z'
    ), true
  )
  from unnest(p_origins) as origin
$$;

create table public.api_keys (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  application_id uuid not null,
  name text not null constraint invalid_api_key_name check (private.is_name(name)),
  environment text not null constraint invalid_key_environment check (environment in ('live', 'test')),
  scopes text[] not null constraint invalid_scopes check (cardinality(scopes) between 1 and 100),
  workflow_ids uuid[] not null default '{}' constraint too_many_workflows check (cardinality(workflow_ids) <= 100),
  allowed_cidrs cidr[] not null default '{}' constraint too_many_cidrs check (cardinality(allowed_cidrs) <= 50),
  allowed_origins text[] not null default '{}' constraint invalid_origins
    check (cardinality(allowed_origins) <= 50 and private.valid_origins(allowed_origins)),
  restricted boolean not null generated always as (
    workflow_ids <> '{}' or allowed_cidrs <> '{}' or allowed_origins <> '{}'
  ) stored,
  -- Of the newest secret: enough to know it again.
  prefix text not null,
  last_four text not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  created_by uuid references public.users (id) on delete set null,
  granted_by uuid references public.users (id) on delete set null,
  last_used_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (organization_id, application_id)
    references public.applications (organization_id, id) on delete cascade
);
comment on table public.api_keys is 'API keys, without their secrets.';
comment on column public.api_keys.scopes is 'Permissions: what the key may do at most.';
comment on column public.api_keys.workflow_ids is 'Where some are named, the key is good for these workflows alone.';
comment on column public.api_keys.granted_by is
  'Whose permissions the key has: its scopes hold as far as this member may do the same now.';
comment on column public.api_keys.last_used_at is 'Brought up to date by maintenance: minutes behind.';

create index api_keys_application on public.api_keys (organization_id, application_id);
create index api_keys_created_by on public.api_keys (created_by);
create index api_keys_granted_by on public.api_keys (granted_by);

alter table public.api_keys enable row level security;

-- That a key was used is no change of the key.
create trigger set_updated_at before update on public.api_keys
  for each row when (old.last_used_at is not distinct from new.last_used_at)
  execute function private.set_updated_at();

create or replace function private.changed_columns(p_row jsonb, p_other jsonb, p_redacted jsonb) returns jsonb
language sql immutable
set search_path = ''
as $$
  select jsonb_object_agg(key, coalesce(p_redacted -> key, value))
  from jsonb_each(p_row)
  where value is distinct from p_other -> key and key not in ('updated_at', 'active', 'last_used_at')
$$;
select private.audit_table('public.api_keys', 'organization_id', 'id');

revoke all on public.api_keys from public, anon, authenticated, service_role;
grant select on public.api_keys to authenticated, service_role;

create policy "members read api keys" on public.api_keys
  as permissive for select to authenticated
  using (organization_id = any ((select private.orgs_with('api_keys.read'))::uuid[]));

-- A table of its own, granted to nobody: SHA-256 of secrets with 256 random bits. Two of one key are good while it is
-- being rotated.
create table private.api_key_secrets (
  hash bytea primary key,
  key_id uuid not null references public.api_keys (id) on delete cascade,
  valid_until timestamptz not null default 'infinity',
  created_at timestamptz not null default now()
);
create index api_key_secrets_key on private.api_key_secrets (key_id);
alter table private.api_key_secrets enable row level security;
