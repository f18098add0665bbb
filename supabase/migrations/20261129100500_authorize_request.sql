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
  select allowed, code, organization_id, application_id, key_id, environment, "limit", remaining, reset_at, retry_after,
    rate_limit, rate_remaining
  from private.authorize_request(p_key_hash, p_scope, p_metric, p_cost, p_context)
$$;
comment on function public.authorize_request is
  'For servers: may the key with this SHA-256 do this now? Decides and counts at once. p_context: {request_id, ip, origin, workflow_id}. '
  'code: allowed, invalid_key, expired, revoked, forbidden_scope, forbidden_ip, forbidden_origin, rate_limited, quota_exceeded, organization_closed, payment_required. '
  'Codes (hint): unknown_metric, invalid_cost, invalid_request_id, request_id_reused.';

grant execute on function private.authorize_request, public.authorize_request to service_role;
