-- Budget taken in one call and spent in memory. It counts as used from the moment it is taken, so no limit is passed
-- whatever becomes of whoever took it.
set local lock_timeout = '5s';

-- Decides as for one request of cost 1, then takes as much of p_amount as there is, of the quota and of both rates.
create function private.lease_budget(
  p_key_hash bytea, p_scope text, p_metric text, p_amount bigint, p_ttl_seconds integer, p_context jsonb
) returns table (
  decision private.request_decision, lease_id uuid, granted bigint, expires_at timestamptz,
  -- whether the key is good for some addresses, origins or workflows alone: then its lease is for this context alone
  restricted boolean
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
-- as authorize_request
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  key public.api_keys;
  counter private.usage_counters;
  key_counter private.api_key_counters;
  at_time timestamptz;
begin
  -- For so long a key that was revoked is good for what is left of its lease.
  if p_ttl_seconds is null or p_ttl_seconds not between 1 and 5 then
    raise exception using errcode = '22023', hint = 'invalid_ttl', message = 'A lease is for 1 to 5 seconds.';
  elsif p_amount is null or p_amount not between 1 and 1000000 then
    raise exception using errcode = '22023', hint = 'invalid_amount', message = 'A lease is of 1 to 1,000,000 requests.';
  end if;
  select * into key from public.api_keys
  where api_keys.id = (select key_id from private.api_key_secrets where hash = p_key_hash);

  for attempt in 1..20 loop
    -- Twice: who is refused without a look at the locked counters locks nothing; what allowed it may have changed since.
    decision := private.refusal(p_key_hash, p_scope, p_metric, 1, p_context);
    if decision.code is null then
      select * into counter from private.usage_counters
      where organization_id = key.organization_id and metric = p_metric for no key update;
      select * into key_counter from private.api_key_counters where key_id = key.id for no key update;
      at_time := clock_timestamp();
      decision := private.refusal(p_key_hash, p_scope, p_metric, 1, p_context);
    end if;
    if decision.code is not null then
      return next;
      return;
    end if;
    granted := least(
      p_amount,
      counter.ceiling - counter.used,
      private.fitting(at_time + private.rate_burst() - greatest(counter.tat, at_time), counter.per_request),
      private.fitting(at_time + private.rate_burst() - greatest(key_counter.tat, at_time), counter.key_per_request)
    );
    -- Otherwise the limits were asked for just now: look at them.
    exit when granted >= 1 and counter.entitlements_version = private.limits_version(key.organization_id)
      and counter.valid_until > at_time;
  end loop;

  update private.usage_counters
  set used = used + granted, taken = taken + granted,
    tat = greatest(tat, at_time) + granted * per_request
  where organization_id = key.organization_id and metric = p_metric;
  update private.api_key_counters
  set taken = taken + granted, used_at = at_time, tat = greatest(tat, at_time) + granted * counter.key_per_request
  where key_id = key.id;
  insert into private.usage_leases (
    organization_id, application_id, key_id, environment, metric, workflow_id, granted, granted_at, period_starts_at,
    expires_at, organization_taken, key_taken
  )
  values (
    key.organization_id, key.application_id, key.id, key.environment, p_metric,
    private.uuid_or_null(p_context ->> 'workflow_id'), granted, at_time, counter.period_starts_at,
    least(at_time + make_interval(secs => p_ttl_seconds), counter.valid_until),
    counter.taken + granted, key_counter.taken + granted
  )
  returning usage_leases.id, usage_leases.expires_at into lease_id, expires_at;
  restricted := key.restricted;
  decision.allowed := true;
  decision.code := 'allowed';
  if counter.quota is not null then
    decision."limit" := counter.quota;
    decision.remaining := greatest(counter.quota - counter.used - granted, 0);
    decision.reset_at := counter.period_ends_at;
  end if;
  return next;
end
$$;

-- Gives back what was not spent, and writes down what was; false when the lease was returned or settled before. The
-- rate gets back no more than it would have if the rest had never been taken: after a reduction by `rest`, the
-- bucket is at most as far ahead as it is now less the rest, or as all that came later would have made it by now. Of a rate
-- that has become nothing there is no less: infinite times have no difference.
create function private.return_lease(p_lease_id uuid, p_spent bigint) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
-- as authorize_request
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  lease private.usage_leases;
  rest bigint;
  pace interval;
begin
  select * into lease from private.usage_leases where id = p_lease_id;
  if not found then
    return false;
  elsif p_spent is null or p_spent not between 0 and lease.granted then
    raise exception using errcode = '22023', hint = 'invalid_spent',
      message = format('Between 0 and %s of this lease can be spent.', lease.granted);
  end if;
  -- The counters first, as everywhere.
  perform from private.usage_counters
  where organization_id = lease.organization_id and metric = lease.metric for no key update;
  perform from private.api_key_counters where key_id = lease.key_id for no key update;
  delete from private.usage_leases where id = p_lease_id;
  if not found then
    return false;
  end if;

  rest := lease.granted - p_spent;
  update private.usage_counters
  set used = case when period_starts_at = lease.period_starts_at then used - rest else used end,
    tat = case when isfinite(per_request) then least(tat, greatest(
      tat - rest * per_request, clock_timestamp() + (taken - lease.organization_taken) * per_request
    )) else tat end
  where organization_id = lease.organization_id and metric = lease.metric
  returning key_per_request into pace;
  update private.api_key_counters
  set tat = least(tat, greatest(tat - rest * pace, clock_timestamp() + (taken - lease.key_taken) * pace))
  where key_id = lease.key_id and isfinite(pace);
  perform private.log_lease(lease, p_spent);
  return true;
end
$$;

create function private.log_lease(p_lease private.usage_leases, p_spent bigint) returns void
language sql
set search_path = ''
as $$
  insert into private.request_log
    (organization_id, request_id, occurred_at, quantity, application_id, key_id, environment, metric, workflow_id)
  select
    p_lease.organization_id, 'lease:' || p_lease.id, p_lease.granted_at, p_spent, p_lease.application_id, p_lease.key_id,
    p_lease.environment, p_lease.metric, p_lease.workflow_id
  where p_spent > 0
$$;

-- Whoever has not returned a lease a minute after its end has spent it all, as far as anybody can know.
create function private.settle_expired_leases() returns integer
language sql
set search_path = ''
as $$
  with settled as (
    delete from private.usage_leases where id in (
      select id from private.usage_leases where expires_at < clock_timestamp() - interval '1 minute' for update skip locked
    ) returning *
  ), logged as (
    select private.log_lease(settled::private.usage_leases, granted) from settled
  )
  select count(*)::integer from logged
$$;

-- When each key was last used: the counters know it, people read it from the keys.
create function private.note_key_use() returns integer
language sql
set search_path = ''
as $$
  with noted as (
    update public.api_keys set last_used_at = used_at
    from private.api_key_counters
    where key_id = id and used_at > coalesce(last_used_at, '-infinity')
    returning 1
  )
  select count(*)::integer from noted
$$;

insert into private.maintenance_tasks (name) values ('settle_expired_leases'), ('note_key_use');

create function public.lease_budget(
  p_key_hash bytea, p_scope text, p_metric text, p_amount bigint, p_ttl_seconds integer default 2,
  p_context jsonb default '{}'
) returns table (
  allowed boolean, code text, organization_id uuid, application_id uuid, key_id uuid, environment text,
  "limit" bigint, remaining bigint, reset_at timestamptz, retry_after integer, lease_id uuid, granted bigint,
  expires_at timestamptz, restricted boolean
)
language sql
set search_path = ''
as $$
  select (decision).allowed, (decision).code, (decision).organization_id, (decision).application_id, (decision).key_id,
    (decision).environment, (decision)."limit", (decision).remaining, (decision).reset_at, (decision).retry_after,
    lease_id, granted, expires_at, restricted
  from private.lease_budget(p_key_hash, p_scope, p_metric, p_amount, p_ttl_seconds, p_context)
$$;
comment on function public.lease_budget is
  'For servers: takes up to p_amount of quota and rate for 1 to 5 seconds. Decides as authorize_request does. '
  'Codes (hint): invalid_ttl, invalid_amount, unknown_metric.';

create function public.return_lease(p_lease_id uuid, p_spent bigint) returns boolean
language sql
set search_path = ''
as $$ select private.return_lease(p_lease_id, p_spent) $$;
comment on function public.return_lease is
  'For servers: gives back the rest of a lease, once; false when it was returned or settled. Codes (hint): invalid_spent.';

grant execute on function
  private.lease_budget, private.return_lease, public.lease_budget, public.return_lease
  to service_role;
