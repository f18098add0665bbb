-- What an organization may have, what it has of it, and where that leads.
set local lock_timeout = '5s';

-- Limits on how much there is at once, and how that is counted: a function in private that takes the organization and
-- returns a bigint. The migration that makes a thing to count adds it here.
create table private.limit_gauges (
  key text primary key,
  counter text not null
);
alter table private.limit_gauges enable row level security;

create function private.count_members(p_organization_id uuid) returns bigint
language sql stable
set search_path = ''
as $$ select count(*) from public.memberships where organization_id = p_organization_id $$;

create function private.count_applications(p_organization_id uuid) returns bigint
language sql stable
set search_path = ''
as $$ select count(*) from public.applications where organization_id = p_organization_id $$;

create function private.count_api_keys(p_organization_id uuid) returns bigint
language sql stable
set search_path = ''
as $$
  select count(*) from public.api_keys
  where organization_id = p_organization_id and revoked_at is null and coalesce(expires_at > now(), true)
$$;

insert into private.limit_gauges (key, counter) values
  ('seats', 'count_members'), ('applications', 'count_applications'), ('api_keys', 'count_api_keys');

-- The definer asks for the permission itself.
create function private.limits_for_members(p_organization_id uuid)
returns table (
  metric text, unit text, maximum bigint, used bigint, overage boolean, period_start timestamptz, period_end timestamptz
)
language plpgsql stable security definer rows 10
set search_path = pg_catalog, pg_temp
as $$
declare
  gauge text;
begin
  if auth.role() is distinct from 'service_role'
    and not p_organization_id = any (private.orgs_with('usage.read'))
  then
    return;
  end if;

  return query
  select
    granted.metric, granted.unit, granted.value, private.metric_used(p_organization_id, granted.metric),
    granted.overage, period.starts_at, period.ends_at
  from (
    select left(entitlements.key, -length('.per_month')) as metric, entitlements.*
    from private.entitlements(p_organization_id)
    where entitlements.key like '%.per\_month'
  ) as granted, private.usage_period(now()) as period;

  for gauge, metric, unit, maximum, overage in
    select gauges.counter, granted.key, granted.unit, granted.value, granted.overage
    from private.limit_gauges as gauges join private.entitlements(p_organization_id) as granted using (key)
  loop
    execute format('select private.%I($1)', gauge) into used using p_organization_id;
    return next;
  end loop;
end
$$;
grant execute on function private.limits_for_members to authenticated, service_role;

create view public.organization_limits with (security_invoker = true) as
select
  organizations.id as organization_id,
  limits.metric,
  limits.unit,
  limits.maximum,
  limits.used,
  case when limits.maximum is not null then greatest(limits.maximum - limits.used, 0) end as remaining,
  limits.overage,
  limits.period_start,
  limits.period_end,
  -- As if the rest of the period went on like what has passed; an hour at least, or its first minutes would frighten.
  round(
    limits.used * extract(epoch from limits.period_end - limits.period_start)
    / extract(epoch from greatest(now() - limits.period_start, interval '1 hour'))
  ) as projected,
  case
    when limits.maximum is null then 'unlimited'
    when limits.used > limits.maximum then 'exceeded'
    when limits.used = limits.maximum then 'reached'
    when limits.used >= limits.maximum * 0.8 then 'near'
    else 'ok'
  end as state
from public.organizations, private.limits_for_members(organizations.id) as limits;
comment on view public.organization_limits is
  'What each of the caller''s organizations may use, for those with usage.read: by month (with a period and a projection), '
  'or at once. A maximum of null is no limit; overage: more is billed rather than refused.';

revoke all on public.organization_limits from public, anon, authenticated, service_role;
grant select on public.organization_limits to authenticated, service_role;
