-- Usage by hour and by day, kept up by what is new: each event adds its quantity to the tail in its own transaction, and
-- roll_up_usage moves the tail into the rollups. A row is in the tail or in the rollups, never in both and never in
-- neither, whatever commits when: there is no watermark that a late transaction could fall behind.
set local lock_timeout = '5s';

-- By month, as the events are, and dropped with them: an hour is of no interest after a year, and there are many.
create table public.usage_hours (
  organization_id uuid not null,
  metric text not null,
  hour timestamptz not null,
  application_id uuid,
  api_key_id uuid,
  -- numeric: a sum of bigints has no limit that somebody could reach to stop it
  quantity numeric not null,
  events bigint not null,
  unique nulls not distinct (organization_id, metric, hour, application_id, api_key_id)
) partition by range (hour);
comment on table public.usage_hours is 'Usage by hour (UTC), without what is still in private.usage_tail. Read usage_summary.';

create table private.usage_hours_default partition of public.usage_hours default;
alter table private.usage_hours_default enable row level security;

create function private.create_usage_partitions() returns integer
language sql
set search_path = ''
-- Two months back: events may be 35 days late.
as $$
  select private.create_month_partitions('public.usage_events', 3, 2)
    + private.create_month_partitions('public.usage_hours', 3, 2)
$$;
select private.create_usage_partitions();

create table public.usage_days (
  organization_id uuid not null,
  metric text not null,
  day date not null,
  application_id uuid,
  api_key_id uuid,
  quantity numeric not null,
  events bigint not null,
  unique nulls not distinct (organization_id, metric, day, application_id, api_key_id)
);
comment on table public.usage_days is 'Usage by day (UTC), without what is still in private.usage_tail. Read usage_summary.';

create table private.usage_tail (
  organization_id uuid not null,
  metric text not null,
  hour timestamptz not null,
  application_id uuid,
  api_key_id uuid,
  quantity numeric not null,
  events bigint not null
-- What is moved away leaves space that is used again, and is not read through in vain.
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
create index usage_tail_of_organization on private.usage_tail (organization_id, metric, hour);

alter table public.usage_hours enable row level security;
alter table public.usage_days enable row level security;
alter table private.usage_tail enable row level security;

revoke all on public.usage_hours, public.usage_days from public, anon, authenticated, service_role;
grant select on public.usage_hours, public.usage_days, private.usage_tail to authenticated, service_role;

create policy "members read usage by hour" on public.usage_hours
  as permissive for select to authenticated
  using (organization_id = any ((select private.orgs_with('usage.read'))::uuid[]));
create policy "members read usage by day" on public.usage_days
  as permissive for select to authenticated
  using (organization_id = any ((select private.orgs_with('usage.read'))::uuid[]));
create policy "members read the latest usage" on private.usage_tail
  as permissive for select to authenticated
  using (organization_id = any ((select private.orgs_with('usage.read'))::uuid[]));

-- One at a time; a run beside another does nothing.
create function private.roll_up_usage(p_limit integer default 1000000) returns integer
language plpgsql
set search_path = ''
set timezone = 'UTC'
as $$
declare
  moved integer;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('nectar.roll_up_usage', 0)) then
    return 0;
  end if;
  with moving as (
    delete from private.usage_tail
    where ctid = any (array(select ctid from private.usage_tail limit p_limit for update))
    returning *
  ), by_hour as materialized (
    select organization_id, metric, hour, application_id, api_key_id,
      sum(quantity) as quantity, sum(events)::bigint as events, count(*) as tail_rows
    from moving
    group by organization_id, metric, hour, application_id, api_key_id
  ), hours as (
    insert into public.usage_hours as rollup
      (organization_id, metric, hour, application_id, api_key_id, quantity, events)
    select organization_id, metric, hour, application_id, api_key_id, quantity, events from by_hour
    on conflict (organization_id, metric, hour, application_id, api_key_id) do update
      set quantity = rollup.quantity + excluded.quantity, events = rollup.events + excluded.events
  ), days as (
    insert into public.usage_days as rollup
      (organization_id, metric, day, application_id, api_key_id, quantity, events)
    select organization_id, metric, hour::date, application_id, api_key_id, sum(quantity), sum(events)
    from by_hour
    group by organization_id, metric, hour::date, application_id, api_key_id
    on conflict (organization_id, metric, day, application_id, api_key_id) do update
      set quantity = rollup.quantity + excluded.quantity, events = rollup.events + excluded.events
  ), metered as (
    insert into private.meter_hours (organization_id, metric, hour)
    select distinct organization_id, metric, hour
    from by_hour join private.metered_spans as span using (organization_id, metric)
    where tstzrange(span.starts_at, span.ends_at) && tstzrange(hour, hour + interval '1 hour')
    order by organization_id, metric, hour
    -- Changed, so that whoever looks at it just now waits, and what they do not see is not lost.
    on conflict (organization_id, metric, hour) do update set hour = excluded.hour
  )
  select coalesce(sum(tail_rows), 0) into moved from by_hour;
  return moved;
end
$$;

insert into private.maintenance_tasks (name, position) values
  ('roll_up_usage', 100), ('create_usage_partitions', 900);
