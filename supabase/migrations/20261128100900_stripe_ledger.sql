-- What Stripe told us and what became of it. docs/billing.md proves that the order of telling does not matter.
set local lock_timeout = '5s';

create table private.stripe_events (
  id text primary key,
  type text not null,
  created timestamptz not null,
  livemode boolean not null,
  api_version text,
  object_id text,
  -- dropped a month after it was applied
  payload jsonb,
  received_at timestamptz not null default now(),
  attempts integer not null default 1,
  -- a failed one is tried again by Stripe, a dead one by an operator
  status text not null check (status in ('applied', 'ignored', 'failed', 'dead')),
  outcome text,
  last_error text,
  applied_at timestamptz
);
alter table private.stripe_events enable row level security;
create index stripe_events_open on private.stripe_events (status, id) where status <> 'applied';
create index stripe_events_received on private.stripe_events (received_at);

-- The last state that was stored of each object at Stripe, by the ticket it was fetched with.
create table private.stripe_objects (
  object_id text primary key,
  organization_id uuid not null references public.organizations (id) on delete cascade,
  kind text not null,
  ticket bigint not null,
  deleted boolean not null default false
);
alter table private.stripe_objects enable row level security;
create index stripe_objects_organization on private.stripe_objects (organization_id);

-- No cache: a session that held numbers back would hand out tickets older than the moment they are drawn.
create sequence private.stripe_tickets cache 1;

-- Drawn before the object is fetched: what is fetched with a higher ticket than the last change's is the last state.
create function private.stripe_ticket(p_event_id text) returns table (ticket bigint, status text)
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
  select nextval('private.stripe_tickets'), (select status from private.stripe_events where id = p_event_id)
$$;

-- In a transaction of its own, after the one that failed is gone.
create function private.fail_stripe_event(p_event jsonb, p_error text)
returns table (attempts integer, status text)
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
  insert into private.stripe_events as present
    (id, type, created, livemode, api_version, object_id, payload, status, last_error)
  values (
    p_event ->> 'id', p_event ->> 'type', to_timestamp((p_event ->> 'created')::double precision),
    (p_event ->> 'livemode')::boolean, p_event ->> 'api_version', p_event #>> '{data,object,id}', p_event,
    'failed', left(p_error, 2000)
  )
  on conflict (id) do update set
    attempts = present.attempts + (present.status <> 'applied')::integer,
    payload = coalesce(present.payload, excluded.payload),
    last_error = excluded.last_error,
    status = case
      when present.status = 'applied' then 'applied'
      -- Stripe gives up after three days; this is sooner
      when present.attempts + 1 >= 12 then 'dead'
      else 'failed'
    end
  returning present.attempts, present.status
$$;

create function private.stripe_events_to_replay(
  p_ids text[], p_dead boolean, p_since timestamptz, p_limit integer, p_after text
)
returns table (id text, type text, status text, attempts integer, received_at timestamptz, payload jsonb)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select event.id, event.type, event.status, event.attempts, event.received_at, event.payload
  from private.stripe_events as event
  where event.id > coalesce(p_after, '')
    and (
      event.id = any (p_ids)
      or (p_dead and event.status = 'dead')
      or (event.received_at >= p_since and (event.status in ('failed', 'dead') or event.outcome = 'unlinked'))
    )
  order by event.id
  limit p_limit
$$;

create function private.stripe_events_by_status()
returns table (status text, outcome text, events bigint, oldest timestamptz, newest timestamptz)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select status, outcome, count(*), min(received_at), max(received_at) from private.stripe_events
  group by status, outcome
  order by status, outcome
$$;

-- What somebody has to look at.
create function private.billing_problems() returns table (problem text, organization_id uuid, object_id text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select 'dead_event', null::uuid, id from private.stripe_events where status = 'dead'
  union all
  select 'duplicate_subscription', organization_id, stripe_subscription_id from public.subscriptions
  where rank is not null and not is_current
  union all
  select 'unknown_price', organization_id, item.stripe_price_id
  from public.subscription_items as item
  join public.subscriptions using (organization_id, stripe_subscription_id)
  where item.plan_key is null and rank is not null
  union all
  -- Bought before the plan billed what goes beyond it: it admits that, and nobody pays.
  select 'unbilled_overage', subscription.organization_id, subscription.stripe_subscription_id
  from public.subscriptions as subscription
  join public.plan_limits as soft on soft.plan_key = subscription.plan_key and soft.overage and soft.key like '%.per\_month'
  where subscription.is_current and not exists (
    select from public.subscription_items as item
    join public.plan_prices as price using (stripe_price_id)
    where item.organization_id = subscription.organization_id
      and item.stripe_subscription_id = subscription.stripe_subscription_id
      and price.metric || '.per_month' = soft.key
  )
  order by 1, 2, 3
$$;

create function public.stripe_ticket(p_event_id text default null) returns table (ticket bigint, status text)
language sql
set search_path = ''
as $$ select * from private.stripe_ticket(p_event_id) $$;
comment on function public.stripe_ticket is
  'Drawn before an object is fetched from Stripe, and what the ledger knows of the event.';

create function public.fail_stripe_event(p_event jsonb, p_error text) returns table (attempts integer, status text)
language sql
set search_path = ''
as $$ select * from private.fail_stripe_event(p_event, p_error) $$;
comment on function public.fail_stripe_event is 'Keeps an event that could not be applied: failed, or dead after 12 attempts.';

create function public.stripe_events_to_replay(
  p_ids text[] default null, p_dead boolean default false, p_since timestamptz default null,
  p_limit integer default 100, p_after text default null
)
returns table (id text, type text, status text, attempts integer, received_at timestamptz, payload jsonb)
language sql stable
set search_path = ''
as $$ select * from private.stripe_events_to_replay(p_ids, p_dead, p_since, p_limit, p_after) $$;
comment on function public.stripe_events_to_replay is
  'Events by id, dead ones, or what went wrong since then; the last id is p_after of the next page.';

create function public.stripe_events_by_status()
returns table (status text, outcome text, events bigint, oldest timestamptz, newest timestamptz)
language sql stable
set search_path = ''
as $$ select * from private.stripe_events_by_status() $$;

create function public.billing_problems() returns table (problem text, organization_id uuid, object_id text)
language sql stable
set search_path = ''
as $$ select * from private.billing_problems() $$;
comment on function public.billing_problems is 'dead_event, duplicate_subscription, unbilled_overage, unknown_price: for operators.';

grant execute on function
  private.stripe_ticket, private.fail_stripe_event, private.stripe_events_to_replay,
  private.stripe_events_by_status, private.billing_problems,
  public.stripe_ticket, public.fail_stripe_event, public.stripe_events_to_replay,
  public.stripe_events_by_status, public.billing_problems
  to service_role;
