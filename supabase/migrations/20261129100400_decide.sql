-- May this key do this now? All is answered, counted and written down together, or not at all.
set local lock_timeout = '5s';

create type private.request_decision as (
  allowed boolean,
  code text,
  organization_id uuid,
  application_id uuid,
  key_id uuid,
  environment text,
  -- Of the quota; of the rate that ran out, after rate_limited. Null is no limit.
  "limit" bigint,
  remaining bigint,
  reset_at timestamptz,
  -- seconds
  retry_after integer,
  -- Of the rate that is nearer to its end: requests in a burst, and how many are left of it. Null is no limit.
  rate_limit bigint,
  rate_remaining bigint
);

-- What a key asks for besides its scopes, and the request has not.
create function private.unmet_restriction(
  p_workflow_ids uuid[], p_allowed_cidrs cidr[], p_allowed_origins text[], p_context jsonb
) returns text
language sql immutable
set search_path = ''
return case
  when p_allowed_cidrs <> '{}' and not exists (
    select from unnest(p_allowed_cidrs) as cidr
    where case when pg_input_is_valid(p_context ->> 'ip', 'inet') then (p_context ->> 'ip')::inet <<= cidr end
  ) then 'forbidden_ip'
  when p_allowed_origins <> '{}' and not coalesce(p_context ->> 'origin' = any (p_allowed_origins), false)
    then 'forbidden_origin'
  when p_workflow_ids <> '{}'
    and not coalesce(private.uuid_or_null(p_context ->> 'workflow_id') = any (p_workflow_ids), false)
    then 'forbidden_scope'
end;

-- Whether this very request was admitted before. The same id for another one is a mistake of the caller's.
create function private.was_admitted(
  p_organization_id uuid, p_request_id text, p_key_id uuid, p_metric text, p_quantity bigint
) returns boolean
language plpgsql
set search_path = ''
as $$
declare
  admitted private.request_log;
begin
  select * into admitted from private.request_log
  where organization_id = p_organization_id and request_id = p_request_id;
  if found and (admitted.key_id, admitted.metric, admitted.quantity) is distinct from (p_key_id, p_metric, p_quantity) then
    raise exception using errcode = 'PT409', hint = 'request_id_reused',
      message = 'Another request had this id. Give each request an id of its own.';
  end if;
  return found;
end
$$;

-- Why a request is refused, from a look at everything, without a lock. No code: there is no reason, or none any more.
create function private.refusal(
  p_key_hash bytea, p_scope text, p_metric text, p_cost bigint, p_context jsonb
) returns private.request_decision
language plpgsql
set search_path = ''
as $$
declare
  at_time constant timestamptz := clock_timestamp();
  key public.api_keys;
  counter private.usage_counters;
  secret record;
  limits_known boolean;
  wait interval;
  decision private.request_decision;
begin
  decision.allowed := false;
  select api_key_secrets.key_id, api_key_secrets.valid_until, api_key_counters.ends_at, api_key_counters.tat into secret
  from private.api_key_secrets
  cross join lateral (
    select * from private.api_key_counters where api_key_counters.key_id = api_key_secrets.key_id offset 0
  ) as api_key_counters
  where api_key_secrets.hash = p_key_hash;
  if not found then
    decision.code := 'invalid_key';
    return decision;
  end if;
  select * into key from public.api_keys where api_keys.id = secret.key_id;
  decision.organization_id := key.organization_id;
  decision.application_id := key.application_id;
  decision.key_id := key.id;
  decision.environment := key.environment;

  if key.revoked_at is not null then
    decision.code := 'revoked';
  elsif secret.valid_until <= at_time or secret.ends_at <= at_time then
    decision.code := 'expired';
  elsif exists (
    select from public.organizations where organizations.id = key.organization_id and closed_at is not null
  ) then
    decision.code := 'organization_closed';
  end if;
  if decision.code is not null then
    return decision;
  end if;

  select * into counter from private.usage_counters
  where usage_counters.organization_id = key.organization_id and usage_counters.metric = p_metric;
  limits_known := counter.valid_until > at_time
    and counter.entitlements_version = private.limits_version(key.organization_id);
  if limits_known is not true then
    perform private.refresh_limits(key.organization_id, p_metric);
    select * into counter from private.usage_counters
    where usage_counters.organization_id = key.organization_id and usage_counters.metric = p_metric;
  end if;

  decision.code := coalesce(
    counter.refusal,
    private.unmet_restriction(key.workflow_ids, key.allowed_cidrs, key.allowed_origins, p_context),
    case
      when not coalesce(p_scope = any (key.scopes), false)
        or not private.member_may(key.organization_id, key.granted_by, p_scope) then 'forbidden_scope'
    end
  );
  if decision.code is not null then
    return decision;
  end if;

  wait := greatest(
    counter.tat - at_time + counter.per_request,
    secret.tat - at_time + counter.key_per_request
  ) - private.rate_burst();
  if counter.used > counter.ceiling - p_cost then
    decision.code := 'quota_exceeded';
    decision."limit" := counter.quota;
    decision.remaining := greatest(counter.quota - counter.used, 0);
    decision.reset_at := counter.period_ends_at;
  elsif wait > interval '0' then
    decision.code := 'rate_limited';
    decision."limit" := case
      when counter.tat + counter.per_request >= secret.tat + counter.key_per_request then counter.burst
      else counter.key_burst
    end;
    decision.remaining := 0;
    -- a rate of nothing is never had
    decision.reset_at := nullif(at_time + greatest(wait, interval '0'), 'infinity');
  else
    return decision;
  end if;
  if decision.reset_at is not null then
    decision.retry_after := greatest(ceil(extract(epoch from decision.reset_at - at_time)), 1);
  end if;
  return decision;
end
$$;

create function private.member_may(p_organization_id uuid, p_user_id uuid, p_permission text) returns boolean
language sql stable
set search_path = ''
as $$
  select exists (
    select from public.memberships
    join public.role_permissions using (role_key)
    where memberships.organization_id = p_organization_id and memberships.user_id = p_user_id and memberships.active
      and role_permissions.scope_id = memberships.role_scope_id and role_permissions.permission = p_permission
  )
$$;

-- The answer to a request that was admitted before: as things stand.
create function private.admission(p_key_id uuid, p_metric text) returns private.request_decision
language sql
set search_path = ''
as $$
  select true, 'allowed', api_keys.organization_id, api_keys.application_id, api_keys.id, api_keys.environment,
    quota, quota - least(used, quota), case when quota is not null then period_ends_at end, null::integer, null::bigint, null::bigint
  from public.api_keys
  join private.usage_counters on usage_counters.organization_id = api_keys.organization_id and metric = p_metric
  where id = p_key_id
$$;

-- All is looked at before anything is locked: who is refused has written nothing, and waited for nobody. Then the
-- request is written down, and each counter is changed if it still allows that when its lock is had, by the clock of
-- that moment. Whoever finds no row asks why.
--
-- Nearly all of its time goes into starting statements. So there are few, with few operators, into variables and not
-- into records, and of each table only the columns that are needed.
create function private.authorize_request(
  p_key_hash bytea, p_scope text, p_metric text, p_cost bigint default 1, p_context jsonb default '{}'
) returns private.request_decision
language plpgsql security definer
set search_path = pg_catalog, pg_temp
-- Plans are kept for the session: they must be right also when the tables have grown.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  named_request constant text := p_context ->> 'request_id';
  request constant text := coalesce(named_request, gen_random_uuid()::text);
  at_time timestamptz;
  organization uuid;
  application uuid;
  key uuid;
  key_environment text;
  period_start timestamptz;
  quota bigint;
  quota_left bigint;
  quota_reset_at timestamptz;
  burst bigint;
  burst_left bigint;
  key_burst bigint;
  key_per_request interval;
  key_slack interval;
  key_pace double precision;
  decision private.request_decision;
begin
  if p_cost is null or p_cost not between 1 and 1000000000 then
    raise exception using errcode = '22023', hint = 'invalid_cost', message = 'A cost is between 1 and 1,000,000,000.';
  elsif char_length(named_request) > 200 then
    raise exception using errcode = '22023', hint = 'invalid_request_id', message = 'A request id has at most 200 characters.';
  end if;

  for attempt in 1..20 loop
    at_time := clock_timestamp();
    -- From the key's hash on, one row from each table: `offset 0` keeps the planner from beginning elsewhere.
    select keys.id, keys.organization_id, keys.application_id, keys.environment, counters.period_starts_at
    into key, organization, application, key_environment, period_start
    from private.api_key_secrets as secrets
    cross join lateral (
      select present.tat from private.api_key_counters as present
      where present.key_id = secrets.key_id and present.ends_at > at_time offset 0
    ) as key_counters
    cross join lateral (
      select present.id, present.organization_id, present.application_id, present.environment, present.granted_by
      from public.api_keys as present
      where present.id = secrets.key_id
        and p_scope = any (present.scopes)
        and (not present.restricted or private.unmet_restriction(
          present.workflow_ids, present.allowed_cidrs, present.allowed_origins, p_context
        ) is null)
      offset 0
    ) as keys
    cross join lateral (
      select present.role_scope_id, present.role_key from public.memberships as present
      where present.organization_id = keys.organization_id and present.user_id = keys.granted_by and present.active
      offset 0
    ) as members
    cross join lateral (
      select from public.role_permissions as present
      where present.permission = p_scope and present.scope_id = members.role_scope_id
        and present.role_key = members.role_key
      offset 0
    ) as granted
    cross join lateral (
      select present.period_starts_at from private.usage_counters as present
      where present.organization_id = keys.organization_id and present.metric = p_metric
        and present.valid_until > at_time
        and present.entitlements_version =
          coalesce((select version from private.entitlement_versions as own where own.organization_id = keys.organization_id), 0)
          + coalesce((select version from private.entitlement_versions as everybodys where everybodys.organization_id is null), 0)
        and present.used <= present.ceiling - p_cost
        and present.tat <= at_time + present.slack
        and key_counters.tat <= at_time + present.key_slack
      offset 0
    ) as counters
    where secrets.hash = p_key_hash and secrets.valid_until > at_time;

    if found then
      insert into private.request_log
        (organization_id, request_id, occurred_at, quantity, application_id, key_id, environment, metric, workflow_id)
      values (
        organization, request, at_time, p_cost, application, key, key_environment, p_metric,
        case when p_context ? 'workflow_id' then private.uuid_or_null(p_context ->> 'workflow_id') end
      )
      on conflict do nothing;
      if not found then
        -- It was admitted, and its answer lost: here it is again.
        perform private.was_admitted(organization, request, key, p_metric, p_cost);
        return private.admission(key, p_metric);
      end if;

      -- What the plan grants may be another version's by now: then it is that version's limits that are kept.
      update private.usage_counters as counters
      set used = counters.used + p_cost,
        taken = counters.taken + 1,
        tat = greatest(counters.tat, clock_timestamp()) + counters.per_request
      where counters.organization_id = organization and counters.metric = p_metric
        and counters.period_starts_at = period_start
        and counters.valid_until > clock_timestamp()
        and counters.used <= counters.ceiling - p_cost
        and counters.tat <= clock_timestamp() + counters.slack
      returning counters.quota, counters.quota - least(counters.used, counters.quota),
        case when counters.quota is not null then counters.period_ends_at end,
        -- What is left of a burst is for information, so in floating point: exact to the microsecond.
        counters.burst, floor(
          date_part('epoch', clock_timestamp() + private.rate_burst() - counters.tat) * counters.pace + 0.000001
        ),
        counters.key_burst, counters.key_per_request, counters.key_slack, counters.key_pace
      into quota, quota_left, quota_reset_at, burst, burst_left, key_burst, key_per_request, key_slack, key_pace;

      if found then
        update private.api_key_counters as counters
        set taken = counters.taken + 1,
          tat = greatest(counters.tat, clock_timestamp()) + key_per_request,
          used_at = at_time
        where counters.key_id = key
          and counters.ends_at > clock_timestamp()
          and counters.tat <= clock_timestamp() + key_slack
        returning true, 'allowed', organization, application, key, key_environment, quota, quota_left, quota_reset_at, null::integer,
          key_burst, least(burst_left, floor(
            date_part('epoch', clock_timestamp() + private.rate_burst() - counters.tat) * key_pace + 0.000001
          ))
        into decision;
        if found then
          if decision.rate_remaining = burst_left then
            decision.rate_limit := burst;
          end if;
          return decision;
        end if;
        update private.usage_counters as counters
        set used = counters.used - p_cost, taken = counters.taken - 1, tat = counters.tat - counters.per_request
        where counters.organization_id = organization and counters.metric = p_metric;
      end if;
      delete from private.request_log
      where request_log.organization_id = organization and request_log.request_id = request;
    end if;

    decision := private.refusal(p_key_hash, p_scope, p_metric, p_cost, p_context);
    if decision.code in ('rate_limited', 'quota_exceeded')
      and private.was_admitted(decision.organization_id, named_request, decision.key_id, p_metric, p_cost)
    then
      return private.admission(decision.key_id, p_metric);
    elsif decision.code is not null then
      return decision;
    end if;
    -- The limits were not known, or somebody was faster: again.
  end loop;
  decision.code := 'rate_limited';
  decision.retry_after := 1;
  return decision;
end
$$;
