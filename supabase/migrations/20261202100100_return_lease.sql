-- What is left of a lease comes back also when the rate has become nothing meanwhile: infinite times have no difference.
set local lock_timeout = '5s';

create or replace function private.return_lease(p_lease_id uuid, p_spent bigint) returns boolean
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
