-- What limits mean: periods, bursts, and where a counter learns what its organization's plan grants.
set local lock_timeout = '5s';

-- The calendar month in UTC, for every plan: what a customer is told ("10,000 a month") needs no date beside it.
create function private.usage_period(p_at timestamptz) returns table (starts_at timestamptz, ends_at timestamptz)
language sql immutable
set search_path = ''
as $$
  select month at time zone 'UTC', (month + interval '1 month') at time zone 'UTC'
  from date_trunc('month', p_at at time zone 'UTC') as month
$$;

-- How long the id of an admitted request is known: the same id again is the same request, and not counted twice.
create function private.request_window() returns interval
language sql immutable
set search_path = ''
return interval '15 minutes';

-- The time that each request takes of a rate, rounded up to the microsecond so that the rate is never passed.
create function private.pace(p_rate bigint) returns interval
language sql immutable
set search_path = ''
return case
  when p_rate is null then interval '0'
  when p_rate = 0 then interval 'infinity'
  else make_interval(secs => ceil(1000000.0 / p_rate)::double precision / 1000000)
end;

-- How many requests fit into this much of a rate's time. Null is no limit.
create function private.fitting(p_time interval, p_per_request interval) returns bigint
language sql immutable
set search_path = ''
return div(extract(epoch from p_time), nullif(extract(epoch from p_per_request), 0));

-- Grows with every change of what the organization is entitled to: its own, and everybody's.
create function private.limits_version(p_organization_id uuid) returns bigint
language sql stable
set search_path = ''
as $$
  select coalesce((select version from private.entitlement_versions where organization_id = p_organization_id), 0)
    + coalesce((select version from private.entitlement_versions where organization_id is null), 0)
$$;

-- Makes the counter, opens a new period, and asks what the plan grants. The row stays locked until the caller ends.
create function private.refresh_limits(p_organization_id uuid, p_metric text) returns void
language plpgsql
set search_path = ''
-- A table that was small when the session first looked would be read through for ever.
set enable_seqscan = off
as $$
declare
  known_version bigint;
  period record;
  granted jsonb;
  overage boolean;
begin
  if not exists (select from public.entitlement_keys where key = p_metric || '.per_month') then
    raise exception using errcode = '22023', hint = 'unknown_metric',
      message = format('There is no metric %s: no plan grants %s.per_month.', p_metric, p_metric);
  end if;
  insert into private.usage_counters (organization_id, metric) values (p_organization_id, p_metric)
  on conflict do nothing;
  perform from private.usage_counters
  where organization_id = p_organization_id and metric = p_metric
  for no key update;

  -- The version before what it stands for: a change between the two is asked for once more.
  known_version := private.limits_version(p_organization_id);
  select jsonb_object_agg(entitlements.key, entitlements.value),
    bool_or(entitlements.overage) filter (where entitlements.key = p_metric || '.per_month')
  into granted, overage
  from private.entitlements(
    p_organization_id,
    array[p_metric || '.per_month', p_metric || '.per_second', 'api_requests.per_second', 'key_requests.per_second']
  ) as entitlements;
  select * into period from private.usage_period(clock_timestamp());

  update private.usage_counters
  -- A clock that was set back must not open an old period again.
  set used = case when period.starts_at > period_starts_at then 0 else used end,
    period_starts_at = greatest(period_starts_at, period.starts_at),
    entitlements_version = known_version,
    period_ends_at = greatest(period_ends_at, period.ends_at),
    valid_until = least(
      greatest(period_ends_at, period.ends_at),
      -- Billing's clock stands still in a transaction: what it calls over by now would be asked for without end.
      greatest(private.entitlements_valid_until(p_organization_id), clock_timestamp() + interval '100 milliseconds')
    ),
    refusal = case when private.subscription_state(p_organization_id) = 'suspended' then 'payment_required' end,
    quota = (granted ->> (p_metric || '.per_month'))::bigint,
    ceiling = case
      when private.subscription_state(p_organization_id) = 'suspended' then -1
      when overage then 9223372036854775807
      else coalesce((granted ->> (p_metric || '.per_month'))::bigint, 9223372036854775807)
    end,
    burst = private.fitting(private.rate_burst(), private.pace(limits.rate)),
    per_request = private.pace(limits.rate),
    key_burst = private.fitting(private.rate_burst(), private.pace(limits.key_rate)),
    key_per_request = private.pace(limits.key_rate),
    slack = private.rate_burst() - private.pace(limits.rate),
    key_slack = private.rate_burst() - private.pace(limits.key_rate),
    pace = 1 / nullif(date_part('epoch', private.pace(limits.rate)), 0),
    key_pace = 1 / nullif(date_part('epoch', private.pace(limits.key_rate)), 0)
  from (
    select (granted ->> 'key_requests.per_second')::bigint as key_rate,
      case when granted ? (p_metric || '.per_second')
        then granted ->> (p_metric || '.per_second')
        else granted ->> 'api_requests.per_second'
      end::bigint as rate
  ) as limits
  where organization_id = p_organization_id and metric = p_metric;
end
$$;

-- Used in the period that is now, as the counter knows it: exact, what is out on lease included.
create function private.metric_used(p_organization_id uuid, p_metric text) returns bigint
language sql stable
set search_path = ''
as $$
  select coalesce((
    select used from private.usage_counters, private.usage_period(clock_timestamp()) as period
    where organization_id = p_organization_id and metric = p_metric and period_starts_at >= period.starts_at
  ), 0)
$$;

-- Adds what was used otherwise than by a decision. It has happened: it is counted, and never refused.
create function private.count_usage(p_organization_id uuid, p_metric text, p_quantity bigint, p_occurred_at timestamptz)
returns void
language plpgsql
set search_path = ''
set enable_seqscan = off
as $$
begin
  if exists (select from public.entitlement_keys where key = p_metric || '.per_month') then
    perform private.refresh_limits(p_organization_id, p_metric);
    update private.usage_counters set used = least(used::numeric + p_quantity, 9223372036854775807)
    where organization_id = p_organization_id and metric = p_metric
      and p_occurred_at >= period_starts_at and p_occurred_at < period_ends_at;
  end if;
end
$$;
