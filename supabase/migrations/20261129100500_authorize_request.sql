-- The decision for servers: functions/_shared/api-key.ts calls it once for each request.
set local lock_timeout = '5s';

create function public.authorize_request(
  p_key_hash bytea, p_scope text, p_metric text, p_cost bigint default 1, p_context jsonb default '{}'
) returns table (
  allowed boolean, code text, organization_id uuid, application_id uuid, key_id uuid, environment text,
  "limit" bigint, remaining bigint, reset_at timestamptz, retry_after integer, rate_limit bigint, rate_remaining bigint
)
language sql
set search_path = ''
as $$
  -- One request asked several times at once waits before it holds anything: who refreshes the limits has the counter and waits
  -- for the request's row, and who was first has the row and waits for the counter.
  select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(p_context ->> 'request_id', 1));
  select allowed, code, organization_id, application_id, key_id, environment, "limit", remaining, reset_at, retry_after,
    rate_limit, rate_remaining
  from private.authorize_request(p_key_hash, p_scope, p_metric, p_cost, p_context)
$$;
comment on function public.authorize_request is
  'For servers: may the key with this SHA-256 do this now? Decides and counts at once. p_context: {request_id, ip, origin, workflow_id}. '
  'code: allowed, invalid_key, expired, revoked, forbidden_scope, forbidden_ip, forbidden_origin, rate_limited, quota_exceeded, organization_closed, payment_required. '
  'Codes (hint): unknown_metric, invalid_cost, invalid_request_id, request_id_reused.';

-- For those who committed without waiting for the disk: until it has all that was committed so far. Who waits here holds
-- no counter, so that requests of one organization wait for the disk together and not one after another.
create function private.await_disk() returns void
language plpgsql
set search_path = ''
as $$
begin
  if pg_catalog.pg_current_wal_flush_lsn() < pg_catalog.pg_current_wal_insert_lsn() then
    -- A transaction of this message alone is committed as the server is set up to, and what came before it with it.
    perform pg_catalog.pg_logical_emit_message(true, 'nectar', '');
  end if;
end
$$;

grant execute on function private.authorize_request, public.authorize_request to service_role;
