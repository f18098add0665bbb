-- The databases that tenants bring along. Where they are, and how they were last found; the passwords are elsewhere.
set local lock_timeout = '5s';

create type public.database_engine as enum ('mssql', 'postgres', 'mysql');
create type public.connection_tls_mode as enum ('disable', 'require', 'verify-ca', 'verify-full', 'strict');

create table public.database_connections (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  application_id uuid,
  name text not null constraint invalid_connection_name check (private.is_name(name)),
  engine public.database_engine not null,
  -- A name of letters, digits and hyphens, or an address as it is usually written. Whether it may be connected to is
  -- decided when it is resolved.
  host text not null constraint invalid_connection_host
    check (
      char_length(host) <= 253
      and host ~ '\A[a-z0-9]([a-z0-9.-]*[a-z0-9])?\Z|\A[a-f0-9.]*:[a-f0-9.]*:[a-f0-9:.]*\Z'
    ),
  -- null: the engine's own, or that of the named instance
  port integer constraint invalid_connection_port check (port between 1 and 65535),
  database_name text not null constraint invalid_connection_database
    check (char_length(database_name) between 1 and 128 and database_name !~ '[[:cntrl:]]'),
  username text not null constraint invalid_connection_username
    check (char_length(username) between 1 and 128 and username !~ '[[:cntrl:]]'),
  tls_mode public.connection_tls_mode not null default 'verify-full',
  ca_certificate text constraint invalid_ca_certificate check (
    octet_length(ca_certificate) <= 32768 and ca_certificate ~ '-----BEGIN CERTIFICATE-----'
    and ca_certificate !~ 'PRIVATE KEY'
  ),
  options jsonb not null default '{}' constraint invalid_connection_options
    check (jsonb_typeof(options) = 'object' and octet_length(options::text) <= 4096),
  -- Counts the changes: who changes it says which one they saw.
  revision integer not null default 1,
  -- Which password is the current one. An older one that is put back does not decrypt.
  secret_version integer not null default 1,
  last_test jsonb,
  last_tested_at timestamptz,
  created_by uuid default auth.uid() references public.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint strict_tls_is_for_mssql check (tls_mode <> 'strict' or engine = 'mssql'),
  constraint connection_name_taken unique (organization_id, name),
  constraint unknown_application foreign key (organization_id, application_id)
    references public.applications (organization_id, id) on delete set null (application_id),
  check (octet_length(last_test::text) <= 16384),
  unique (organization_id, id)
);
comment on table public.database_connections is
  'Customers'' databases. Written by create_connection and update_connection, for functions/connections.';
comment on column public.database_connections.secret_version is 'Counts the passwords it has had.';

create index database_connections_application on public.database_connections (organization_id, application_id);
create index database_connections_created_by on public.database_connections (created_by);

alter table public.database_connections enable row level security;

create trigger set_updated_at before update on public.database_connections
  for each row execute function private.set_updated_at();

select private.audit_table('public.database_connections', 'organization_id', 'id');

insert into public.permissions (key, description) values
  ('connections.read', 'See the organization''s database connections, without their passwords.'),
  ('connections.manage', 'Create, change, test and delete database connections.');

insert into public.role_permissions (role_key, permission) values
  ('owner', 'connections.read'), ('owner', 'connections.manage'),
  ('admin', 'connections.read'), ('admin', 'connections.manage'),
  ('developer', 'connections.read'), ('developer', 'connections.manage'),
  ('viewer', 'connections.read');

revoke all on public.database_connections from public, anon, authenticated, service_role;
grant select, delete on public.database_connections to authenticated, service_role;

create policy "members read connections" on public.database_connections
  as permissive for select to authenticated
  using (organization_id = any ((select private.orgs_with('connections.read'))::uuid[]));

create policy "members delete connections" on public.database_connections
  as permissive for delete to authenticated
  using (organization_id = any ((select private.orgs_with('connections.manage'))::uuid[]));

insert into public.entitlement_keys (key, unit, default_value, description) values
  ('connections', 'count', 3, 'Database connections of the organization.'),
  ('connection_tests.per_hour', 'count', 60, 'Tests and introspections of databases in an hour.');
