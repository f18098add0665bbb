-- A connection and its password change in one transaction, as the person who asks for it.
set local lock_timeout = '5s';

create function private.count_connections(p_organization_id uuid) returns bigint
language sql stable
set search_path = ''
as $$ select count(*) from public.database_connections where organization_id = p_organization_id $$;

insert into private.limit_gauges (key, counter) values ('connections', 'count_connections');

-- What may be said of a connection, from JSON; what is not said stays as it is.
create function private.connection_with(p_connection public.database_connections, p_details jsonb, p_fields text[])
returns public.database_connections
language plpgsql
set search_path = ''
as $$
begin
  if jsonb_typeof(p_details) is distinct from 'object'
    or exists (select from jsonb_object_keys(p_details) as field where field <> all (p_fields))
  then
    raise exception using errcode = '22023', hint = 'unknown_field',
      message = format('A connection has these fields: %s.', array_to_string(p_fields, ', '));
  end if;
  return jsonb_populate_record(p_connection, p_details);
end
$$;

-- The password as functions/connections encrypted it: {"data_key_id", "version", "ciphertext", "nonce"}, bytes in base64.
create function private.put_connection_secret(p_organization_id uuid, p_connection_id uuid, p_version integer, p_secret jsonb)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if (p_secret ->> 'version')::integer is distinct from p_version then
    raise exception using errcode = 'PT409', hint = 'connection_changed',
      message = 'Somebody changed this connection meanwhile. Load it again.';
  end if;
  insert into private.connection_secrets (organization_id, connection_id, data_key_id, version, ciphertext, nonce)
  values (
    p_organization_id, p_connection_id, (p_secret ->> 'data_key_id')::uuid, p_version,
    decode(p_secret ->> 'ciphertext', 'base64'), decode(p_secret ->> 'nonce', 'base64')
  )
  on conflict (organization_id, connection_id) do update
  set data_key_id = excluded.data_key_id, version = excluded.version,
    ciphertext = excluded.ciphertext, nonce = excluded.nonce;
end
$$;

create function private.create_connection(
  p_organization_id uuid, p_connection_id uuid, p_details jsonb, p_secret jsonb
) returns public.database_connections
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  given public.database_connections;
  created public.database_connections;
  most bigint;
begin
  perform private.require_permission(p_organization_id, 'connections.manage');
  perform private.lock_organization(p_organization_id);
  most := private.entitlement(p_organization_id, 'connections');
  if private.count_connections(p_organization_id) >= most then
    raise exception using errcode = 'PT402', hint = 'limit_reached', detail = 'connections',
      message = format('The plan has at most %s database connections. Delete one, or choose another plan.', most);
  end if;

  given := private.connection_with(null, p_details, array[
    'application_id', 'name', 'engine', 'host', 'port', 'database_name', 'username', 'tls_mode', 'ca_certificate', 'options'
  ]);
  insert into public.database_connections (
    id, organization_id, application_id, name, engine, host, port, database_name, username,
    tls_mode, ca_certificate, options, created_by
  ) values (
    p_connection_id, p_organization_id, given.application_id, given.name, given.engine, given.host, given.port,
    given.database_name, given.username, coalesce(given.tls_mode, 'verify-full'), given.ca_certificate,
    coalesce(given.options, '{}'), auth.uid()
  ) returning * into created;
  perform private.put_connection_secret(p_organization_id, p_connection_id, created.secret_version, p_secret);
  return created;
end
$$;

-- Whoever may change a connection does not know its password. Sent to another place, or in another way, it would be
-- theirs: whatever decides about that is changed only together with the password.
create function private.update_connection(
  p_connection_id uuid, p_revision integer, p_details jsonb, p_secret jsonb
) returns public.database_connections
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  before public.database_connections;
  after public.database_connections;
  moved boolean;
begin
  select * into before from public.database_connections
  where id = p_connection_id and organization_id = any (private.orgs_with('connections.manage'))
  for update;
  if not found then
    raise exception using errcode = 'PT404', hint = 'connection_not_found',
      message = 'There is no such connection that you may change.';
  end if;
  if before.revision is distinct from p_revision then
    raise exception using errcode = 'PT409', hint = 'connection_changed',
      message = 'Somebody changed this connection meanwhile. Load it again.';
  end if;

  after := private.connection_with(before, p_details, array[
    'application_id', 'name', 'host', 'port', 'database_name', 'username', 'tls_mode', 'ca_certificate', 'options'
  ]);
  moved := (after.host, after.port, after.username, after.tls_mode, after.ca_certificate, after.options)
    is distinct from (before.host, before.port, before.username, before.tls_mode, before.ca_certificate, before.options);
  if moved and p_secret is null then
    raise exception using errcode = '22023', hint = 'password_required',
      message = 'Give the password again: it is not sent to a new place, or in a new way, without you.';
  end if;
  if p_secret is not null then
    after.secret_version := before.secret_version + 1;
    perform private.put_connection_secret(before.organization_id, before.id, after.secret_version, p_secret);
  end if;

  if moved or p_secret is not null or after.database_name <> before.database_name then
    after.last_test := null;
    after.last_tested_at := null;
  end if;
  update public.database_connections
  set application_id = after.application_id, name = after.name, host = after.host, port = after.port,
    database_name = after.database_name, username = after.username, tls_mode = after.tls_mode,
    ca_certificate = after.ca_certificate, options = after.options, secret_version = after.secret_version,
    last_test = after.last_test, last_tested_at = after.last_tested_at, revision = before.revision + 1
  where id = before.id
  returning * into after;
  return after;
end
$$;

create function public.create_connection(
  p_organization_id uuid, p_connection_id uuid, p_details jsonb, p_secret jsonb
) returns public.database_connections
language sql
set search_path = ''
as $$ select * from private.create_connection(p_organization_id, p_connection_id, p_details, p_secret) $$;
comment on function public.create_connection is
  'For functions/connections, which encrypts the password. Codes (hint): not_permitted, limit_reached, unknown_field, connection_changed.';

create function public.update_connection(
  p_connection_id uuid, p_revision integer, p_details jsonb, p_secret jsonb default null
) returns public.database_connections
language sql
set search_path = ''
as $$ select * from private.update_connection(p_connection_id, p_revision, p_details, p_secret) $$;
comment on function public.update_connection is
  'For functions/connections. Codes (hint): connection_not_found, connection_changed, password_required, unknown_field.';

grant execute on function
  private.create_connection, private.update_connection, public.create_connection, public.update_connection
  to authenticated;
