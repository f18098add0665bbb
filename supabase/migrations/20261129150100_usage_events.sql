-- What was used, by whom and when: the facts that all other figures of usage are computed from.
set local lock_timeout = '5s';

-- No foreign keys: ten thousand rows at once would ask ten thousand times for the same organization, and hold its
-- row. Those who write check; what belongs to a purged organization goes with delete_purged_usage.
create table public.usage_events (
  organization_id uuid not null,
  application_id uuid,
  api_key_id uuid,
  metric text not null,
  quantity bigint not null check (quantity > 0),
  occurred_at timestamptz not null,
  received_at timestamptz not null default now(),
  idempotency_key text not null,
  dimensions jsonb not null default '{}'
) partition by range (occurred_at);
comment on table public.usage_events is 'What was used: written by servers through ingest_usage, never changed.';
comment on column public.usage_events.idempotency_key is 'Counts once within its organization.';
comment on column public.usage_events.dimensions is 'Facts of the sender''s own: an object of at most 1 KiB.';

create index usage_events_by_time on public.usage_events (organization_id, occurred_at);

create table private.usage_events_default partition of public.usage_events default;
alter table private.usage_events_default enable row level security;

alter table public.usage_events enable row level security;
revoke all on public.usage_events from public, anon, authenticated, service_role;
grant select on public.usage_events to authenticated, service_role;

insert into public.permissions (key, description) values
  ('usage.read', 'See what the organization uses, and its limits.');
insert into public.role_permissions (role_key, permission) values
  ('owner', 'usage.read'), ('admin', 'usage.read'), ('developer', 'usage.read'), ('billing', 'usage.read'),
  ('viewer', 'usage.read');

create policy "members read usage events" on public.usage_events
  as permissive for select to authenticated
  using (organization_id = any ((select private.orgs_with('usage.read'))::uuid[]));

-- The keys of the events: one index says what was counted already. The events' own could not: a unique index on a
-- partitioned table must contain the time, and the same key at another time would count twice. A key is claimed in the
-- transaction that writes its event, and kept longer than an event that old would still be taken: an event that is sent
-- again counts once, whenever that is.
create table private.usage_keys (
  organization_id uuid not null,
  idempotency_key text collate "C" not null,
  received_at timestamptz not null default now(),
  primary key (organization_id, idempotency_key)
) with (autovacuum_vacuum_scale_factor = 0.02);
-- Rows stand in the order they came in, and a day's go together.
create index usage_keys_by_time on private.usage_keys using brin (received_at) with (autosummarize = on);
alter table private.usage_keys enable row level security;

-- Two months back: events may be 35 days late.
select private.create_month_partitions('public.usage_events', 3, 2);
