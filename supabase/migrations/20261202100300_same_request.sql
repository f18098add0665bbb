-- One request asked several times at once: they wait for each other before they hold anything.
set local lock_timeout = '5s';

create or replace function public.authorize_request(
  p_key_hash bytea, p_scope text, p_metric text, p_cost bigint default 1, p_context jsonb default '{}'
) returns table (
  allowed boolean, code text, organization_id uuid, application_id uuid, key_id uuid, environment text,
  "limit" bigint, remaining bigint, reset_at timestamptz, retry_after integer, rate_limit bigint, rate_remaining bigint
)
language sql
set search_path = ''
as $$
  -- Who refreshes the limits has the counter and waits for the request's row; who was first has the row and waits for the counter.
  select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(p_context ->> 'request_id', 1));
  select allowed, code, organization_id, application_id, key_id, environment, "limit", remaining, reset_at, retry_after,
    rate_limit, rate_remaining
  from private.authorize_request(p_key_hash, p_scope, p_metric, p_cost, p_context)
$$;
