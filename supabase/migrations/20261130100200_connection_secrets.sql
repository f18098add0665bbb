-- Passwords of customers' databases, encrypted by functions/connections with a key that this database never sees.
set local lock_timeout = '5s';

-- Each organization's own key, wrapped by a master key of the function's environment.
create table private.data_keys (
  organization_id uuid not null references public.organizations (id) on delete cascade,
  id uuid not null,
  master_key_id text not null,
  -- Counts the wrappings; authenticated with the key.
  version integer not null default 1,
  wrapped bytea not null,
  nonce bytea not null,
  created_at timestamptz not null default now(),
  primary key (organization_id, id),
  constraint data_keys_one_for_each unique (organization_id)
);
alter table private.data_keys enable row level security;
create index data_keys_master on private.data_keys (master_key_id);

create table private.connection_secrets (
  organization_id uuid not null,
  connection_id uuid not null,
  data_key_id uuid not null,
  version integer not null,
  ciphertext bytea not null check (octet_length(ciphertext) <= 8192),
  nonce bytea not null,
  updated_at timestamptz not null default now(),
  primary key (organization_id, connection_id),
  foreign key (organization_id, connection_id)
    references public.database_connections (organization_id, id) on delete cascade,
  -- The organization's own key, and nobody else's.
  foreign key (organization_id, data_key_id) references private.data_keys (organization_id, id)
);
alter table private.connection_secrets enable row level security;
create index connection_secrets_data_key on private.connection_secrets (organization_id, data_key_id);
create trigger set_updated_at before update on private.connection_secrets
  for each row execute function private.set_updated_at();
