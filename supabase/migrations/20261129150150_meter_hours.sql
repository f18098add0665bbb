-- What is billed by usage is reported to Stripe's meters by the hour: which hours are to be looked at, and what was reported.
set local lock_timeout = '5s';

-- Something in them is new since the last look.
create table private.meter_hours (
  organization_id uuid not null,
  metric text not null,
  hour timestamptz not null,
  primary key (organization_id, metric, hour)
);
alter table private.meter_hours enable row level security;

-- What comes late to an hour is reported by the difference to this.
create table private.meter_reports (
  organization_id uuid not null references public.organizations (id) on delete cascade,
  metric text not null,
  hour timestamptz not null,
  -- an hour in which one ended and another began has two
  stripe_subscription_id text not null,
  quantity numeric not null,
  primary key (organization_id, metric, hour, stripe_subscription_id)
);
alter table private.meter_reports enable row level security;
create index meter_reports_hour on private.meter_reports using brin (hour);

-- Since then is to be looked at again: whoever hears late of a subscription finds the hours before rolled up already.
create function private.look_at_hours_again() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  insert into private.meter_hours (organization_id, metric, hour)
  select new.organization_id, new.metric, hour
  from generate_series(
    date_trunc('hour', greatest(new.starts_at, now() - interval '35 days'), 'UTC'),
    -- An event may be an hour ahead of its time.
    now() + interval '1 hour', interval '1 hour'
  ) as hour
  order by hour
  -- Changed, so that whoever looks at it just now waits, and what they do not see is not lost.
  on conflict (organization_id, metric, hour) do update set hour = excluded.hour;
  return null;
end
$$;

create trigger look_at_hours_again after insert or update on private.metered_spans
  for each row when (new.ends_at is null)
  execute function private.look_at_hours_again();
