-- Who pays hears of it when 80 and 100 % of a month's limit are used: of each once in a month.
set local lock_timeout = '5s';

-- The row is the promise: whoever can insert it tells, and nobody can twice.
create table private.limit_alerts (
  organization_id uuid not null,
  metric text not null,
  period_start timestamptz not null,
  -- percent
  threshold smallint not null check (threshold in (80, 100)),
  created_at timestamptz not null default now(),
  primary key (organization_id, metric, period_start, threshold)
);
alter table private.limit_alerts enable row level security;

-- A message for each person, so that one mail that fails does not repeat the others.
create function private.alert_limits() returns integer
language plpgsql
set search_path = ''
as $$
declare
  told integer;
begin
  delete from private.limit_alerts where period_start < now() - interval '13 months';

  with period as (
    select starts_at, ends_at from private.usage_period(now())
  ), suspected as materialized (
    -- The counter's own copy of the quota spares the look at the plan for all who are far from it.
    select counter.organization_id, counter.metric, counter.used
    from private.usage_counters as counter, period
    where counter.period_starts_at = period.starts_at
      and (counter.valid_until <= now() or counter.used >= counter.quota * 0.8)
      and not exists (
        select from private.limit_alerts as told
        where told.organization_id = counter.organization_id and told.metric = counter.metric
          and told.period_start = period.starts_at and told.threshold = 100
      )
  ), measured as materialized (
    select suspected.*, granted.value as quota, granted.overage
    from suspected
    join public.organizations on organizations.id = suspected.organization_id and organizations.closed_at is null
    cross join lateral private.entitlements(suspected.organization_id, array[suspected.metric || '.per_month']) as granted
  ), crossed as (
    insert into private.limit_alerts (organization_id, metric, period_start, threshold)
    select measured.organization_id, measured.metric, period.starts_at, threshold
    from measured, period, unnest(array[80, 100]) as threshold
    where measured.used > 0 and measured.used * 100::numeric >= measured.quota * threshold::numeric
    order by 1, 2, 3, 4
    on conflict do nothing
    returning organization_id, metric, period_start, threshold
  ), queued as (
    insert into private.outbox (kind, organization_id, payload)
    select
      'limits.alert', crossed.organization_id,
      jsonb_build_object(
        'user_id', member.user_id, 'metric', crossed.metric, 'threshold', crossed.threshold,
        'used', measured.used, 'quota', measured.quota,
        'overage', measured.overage,
        'period_start', crossed.period_start, 'period_end', period.ends_at
      )
    from crossed
    join measured using (organization_id, metric)
    cross join period
    join public.memberships as member on member.organization_id = crossed.organization_id and member.active
    where member.role_key = 'owner' or exists (
      select from public.role_permissions as granted
      where granted.permission = 'billing.manage'
        and granted.scope_id = member.role_scope_id and granted.role_key = member.role_key
    )
  )
  select count(*) into told from crossed;
  return told;
end
$$;

insert into private.maintenance_tasks (name, position) values ('alert_limits', 120);

-- Every minute where there is pg_cron: an alert that comes a quarter of an hour late comes too late.
do $$
begin
  if exists (select from pg_available_extensions where name = 'pg_cron') then
    perform cron.schedule(
      'nectar-usage', '* * * * *',
      'select private.drain_request_log(); select private.roll_up_usage(); select private.alert_limits()'
    );
  end if;
end
$$;
