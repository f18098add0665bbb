-- What functions/connections reads and writes past row security: wrapped keys, ciphertexts, and how a test went.
set local lock_timeout = '5s';

create function private.read_data_key(p_organization_id uuid)
returns table (id uuid, master_key_id text, version integer, wrapped text, nonce text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select data_keys.id, data_keys.master_key_id, data_keys.version,
    encode(data_keys.wrapped, 'base64'), encode(data_keys.nonce, 'base64')
  from private.data_keys where organization_id = p_organization_id
$$;

-- The organization's key: this one, unless another was first.
create function private.add_data_key(p_organization_id uuid, p_id uuid, p_master_key_id text, p_wrapped text, p_nonce text)
returns table (id uuid, master_key_id text, version integer, wrapped text, nonce text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into private.data_keys (organization_id, id, master_key_id, wrapped, nonce)
  values (p_organization_id, p_id, p_master_key_id, decode(p_wrapped, 'base64'), decode(p_nonce, 'base64'))
  on conflict on constraint data_keys_one_for_each do nothing;
  return query select * from private.read_data_key(p_organization_id);
end
$$;

-- The version is that of the connection: an older secret that was put back carries a number that does not fit.
create function private.read_connection_secret(p_connection_id uuid)
returns table (
  version integer, ciphertext text, nonce text,
  data_key_id uuid, master_key_id text, data_key_version integer, wrapped text, data_key_nonce text
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select connection.secret_version, encode(secret.ciphertext, 'base64'), encode(secret.nonce, 'base64'),
    data_key.id, data_key.master_key_id, data_key.version,
    encode(data_key.wrapped, 'base64'), encode(data_key.nonce, 'base64')
  from public.database_connections as connection
  join private.connection_secrets as secret
    on secret.organization_id = connection.organization_id and secret.connection_id = connection.id
  join private.data_keys as data_key
    on data_key.organization_id = secret.organization_id and data_key.id = secret.data_key_id
  where connection.id = p_connection_id
$$;

-- Keeps how a test went, if the connection is still what was tested.
create function private.record_connection_test(p_connection_id uuid, p_revision integer, p_result jsonb) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  update public.database_connections
  set last_test = p_result, last_tested_at = now()
  where id = p_connection_id and revision = p_revision;
  return found;
end
$$;

-- Rotation, batch by batch: keys that another master key has wrapped, behind the last one that was seen.
create function private.data_keys_to_rewrap(p_master_key_id text, p_after uuid, p_limit integer)
returns table (organization_id uuid, id uuid, master_key_id text, version integer, wrapped text, nonce text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select data_keys.organization_id, data_keys.id, data_keys.master_key_id, data_keys.version,
    encode(data_keys.wrapped, 'base64'), encode(data_keys.nonce, 'base64')
  from private.data_keys
  where data_keys.master_key_id <> p_master_key_id and (p_after is null or data_keys.organization_id > p_after)
  order by data_keys.organization_id
  limit least(p_limit, 1000)
$$;

-- [{"organization_id", "version" (of what was unwrapped), "master_key_id", "wrapped", "nonce"}]. What another run has
-- rewrapped meanwhile is left alone.
create function private.rewrap_data_keys(p_keys jsonb) returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  rewrapped integer;
begin
  perform from private.data_keys
  where organization_id in (select (key ->> 'organization_id')::uuid from jsonb_array_elements(p_keys) as key)
  order by organization_id
  for update;
  update private.data_keys
  set master_key_id = key ->> 'master_key_id', version = data_keys.version + 1,
    wrapped = decode(key ->> 'wrapped', 'base64'), nonce = decode(key ->> 'nonce', 'base64')
  from jsonb_array_elements(p_keys) as key
  where data_keys.organization_id = (key ->> 'organization_id')::uuid
    and data_keys.version = (key ->> 'version')::integer;
  get diagnostics rewrapped = row_count;
  return rewrapped;
end
$$;

create function public.read_data_key(p_organization_id uuid)
returns table (id uuid, master_key_id text, version integer, wrapped text, nonce text)
language sql stable
set search_path = ''
as $$ select * from private.read_data_key(p_organization_id) $$;
create function public.add_data_key(p_organization_id uuid, p_id uuid, p_master_key_id text, p_wrapped text, p_nonce text)
returns table (id uuid, master_key_id text, version integer, wrapped text, nonce text)
language sql
set search_path = ''
as $$ select * from private.add_data_key(p_organization_id, p_id, p_master_key_id, p_wrapped, p_nonce) $$;
create function public.read_connection_secret(p_connection_id uuid)
returns table (
  version integer, ciphertext text, nonce text,
  data_key_id uuid, master_key_id text, data_key_version integer, wrapped text, data_key_nonce text
)
language sql stable
set search_path = ''
as $$ select * from private.read_connection_secret(p_connection_id) $$;
create function public.record_connection_test(p_connection_id uuid, p_revision integer, p_result jsonb) returns boolean
language sql
set search_path = ''
as $$ select private.record_connection_test(p_connection_id, p_revision, p_result) $$;
create function public.data_keys_to_rewrap(p_master_key_id text, p_after uuid default null, p_limit integer default 100)
returns table (organization_id uuid, id uuid, master_key_id text, version integer, wrapped text, nonce text)
language sql stable
set search_path = ''
as $$ select * from private.data_keys_to_rewrap(p_master_key_id, p_after, p_limit) $$;
create function public.rewrap_data_keys(p_keys jsonb) returns integer
language sql
set search_path = ''
as $$ select private.rewrap_data_keys(p_keys) $$;

grant execute on function
  private.read_data_key, private.add_data_key, private.read_connection_secret, private.record_connection_test,
  private.data_keys_to_rewrap, private.rewrap_data_keys,
  public.read_data_key, public.add_data_key, public.read_connection_secret, public.record_connection_test,
  public.data_keys_to_rewrap, public.rewrap_data_keys
  to service_role;
