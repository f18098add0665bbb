-- What decides on a request: one narrow row for each organization and metric, one for each key. Every decision locks
-- them in this order, and no others: organizations never wait for each other.
set local lock_timeout = '5s';

-- How far ahead of its pace a rate may run: a full bucket holds this much time's worth of requests.
create function private.rate_burst() returns interval
language sql immutable
set search_path = ''
return interval '2 seconds';

-- Half of each page is left free, so that a new version of a row stands beside the old one and no index is touched.
create table private.usage_counters (
  organization_id uuid not null references public.organizations (id) on delete cascade,
  metric text not null,
  -- admitted in the period, what is out on lease included
  used bigint not null default 0,
  -- when the last of the admitted requests would go through at the rate's own pace
  tat timestamptz not null default 'epoch',
  -- requests ever taken from the rate
  taken bigint not null default 0,
  period_starts_at timestamptz not null default '-infinity',
  period_ends_at timestamptz not null default '-infinity',

  -- What the plan grants, as of entitlements_version; asked anew when that or the period is over.
  entitlements_version bigint not null default -1,
  valid_until timestamptz not null default '-infinity',
  -- null or payment_required; no check, as each decision would pay for it
  refusal text,
  quota bigint,
  -- how far `used` may go: to the quota, without end, or (-1) nowhere
  ceiling bigint not null default -1,
  -- requests in a full bucket, and the time that each takes of it
  burst bigint,
  per_request interval not null default '0',
  key_burst bigint,
  key_per_request interval not null default '0',
  -- What a decision would have to work out each time: how far ahead of the clock `tat` may be for one more request, and
  -- how many there are in a second. Not generated columns: their expressions are read anew with every update.
  slack interval not null default '0',
  key_slack interval not null default '0',
  pace double precision,
  key_pace double precision,
  primary key (organization_id, metric)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
comment on column private.usage_counters.quota is 'Of the period; null is no limit.';

create table private.api_key_counters (
  key_id uuid primary key references public.api_keys (id) on delete cascade,
  tat timestamptz not null default 'epoch',
  taken bigint not null default 0,
  used_at timestamptz,
  -- Expired or revoked from then on. It stands here too, where a decision locks: one that is under way sees it.
  ends_at timestamptz not null default 'infinity'
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- One row for each admitted request: what was used, and that this request was decided. Usage takes the rows over
-- when they are older than the window.
create table private.request_log (
  organization_id uuid not null,
  request_id text collate "C" not null,
  occurred_at timestamptz not null,
  quantity bigint not null,
  application_id uuid not null,
  key_id uuid not null,
  environment text not null,
  metric text not null,
  workflow_id uuid,
  -- No foreign keys: each would cost every request a lock on its parent.
  primary key (organization_id, request_id)
) with (autovacuum_vacuum_scale_factor = 0.05);

create table private.usage_leases (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  application_id uuid not null,
  -- no foreign key: what was spent counts, also when the key is gone
  key_id uuid not null,
  environment text not null,
  metric text not null,
  workflow_id uuid,
  granted bigint not null,
  granted_at timestamptz not null,
  period_starts_at timestamptz not null,
  expires_at timestamptz not null,
  -- the counters' `taken` when it was granted
  organization_taken bigint not null,
  key_taken bigint not null
);
create index usage_leases_organization on private.usage_leases (organization_id);
create index usage_leases_expired on private.usage_leases (expires_at);

alter table private.usage_counters enable row level security;
alter table private.api_key_counters enable row level security;
alter table private.request_log enable row level security;
alter table private.usage_leases enable row level security;
