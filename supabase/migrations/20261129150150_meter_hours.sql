-- Plans that bill what goes beyond them: their usage is collected by the hour, to be reported to Stripe's meters.
set local lock_timeout = '5s';

-- What is rolled up and not reported yet. What comes late to an hour that was reported makes a row of its own.
create table private.meter_hours (
  organization_id uuid not null,
  metric text not null,
  hour timestamptz not null,
  quantity numeric not null,
  primary key (organization_id, metric, hour)
);
alter table private.meter_hours enable row level security;

create function private.is_metered(p_organization_id uuid, p_metric text) returns boolean
language sql stable
set search_path = ''
as $$
  select exists (
    select from private.entitlements(p_organization_id, array[p_metric || '.per_month']) as granted where granted.overage
  ) and private.subscription_state(p_organization_id) = any (array['active', 'grace'])
$$;
