-- What is sold: plans and add-ons, their prices at Stripe, and what they grant. Written by sync_plan alone.
set local lock_timeout = '5s';

create table public.plans (
  key text primary key
    check (key ~ '^[a-z0-9]+([_-][a-z0-9]+)*$' and char_length(key) <= 48),
  -- an add-on's limits are added to those of the plan beside it
  kind text not null default 'plan' check (kind in ('plan', 'addon')),
  name text not null check (private.is_name(name)),
  description text not null default '',
  position integer not null default 0,
  -- sentences for display
  features jsonb not null default '[]' check (jsonb_typeof(features) = 'array'),
  is_public boolean not null default true,
  archived_at timestamptz,
  seat_billing text not null default 'included' check (seat_billing in ('included', 'bought', 'per_member')),
  -- how long a payment may be late before the plan is withheld
  grace_days integer not null default 7 check (grace_days between 0 and 365),
  stripe_product_id text unique,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.plans is 'Plans and add-ons that are, or were, sold.';
comment on column public.plans.is_public is 'Whether to offer it to everybody: no secret, a matter of display.';
comment on column public.plans.seat_billing is
  'included: seats are a limit of the plan. bought: the subscription''s quantity is the number of seats. per_member: the quantity follows the members.';

-- An amount cannot change at Stripe: a new price takes over, and the old one stays for those who have it.
create table public.plan_prices (
  stripe_price_id text primary key,
  plan_key text not null references public.plans (key),
  interval text not null check (interval in ('month', 'year')),
  currency text not null constraint invalid_currency check (currency ~ '^[a-z]{3}$'),
  -- in the currency's smallest unit; null where usage is billed
  unit_amount bigint constraint invalid_amount check (unit_amount >= 0),
  -- what is billed by usage, when the period is over: bought together with the price of the same interval and currency
  metric text check ((metric is null) = (unit_amount is not null)),
  -- of the smallest unit, for one more than what a period includes; null where somebody agreed on tiers of another kind
  unit_rate numeric check (unit_rate >= 0),
  included bigint check (included >= 0),
  lookup_key text,
  active boolean not null default true,
  livemode boolean not null,
  unique (livemode, lookup_key)
);
comment on table public.plan_prices is 'Prices at Stripe, in the smallest unit of their currency; those with a metric bill usage.';
create index plan_prices_plan on public.plan_prices (plan_key);

create table public.plan_limits (
  plan_key text not null references public.plans (key),
  key text not null references public.entitlement_keys (key),
  -- null is no limit
  value bigint check (value >= 0),
  -- soft: what goes beyond is billed rather than refused
  overage boolean not null default false,
  primary key (plan_key, key)
);
comment on table public.plan_limits is 'What a plan grants; of what is not here, entitlement_keys.default_value.';
create index plan_limits_key on public.plan_limits (key);

alter table public.plans enable row level security;
alter table public.plan_prices enable row level security;
alter table public.plan_limits enable row level security;

create trigger set_updated_at before update on public.plans
  for each row execute function private.set_updated_at();

revoke all on public.plans, public.plan_prices, public.plan_limits from public, anon, authenticated, service_role;
grant select on public.plans, public.plan_prices, public.plan_limits to authenticated, service_role;

create policy "everybody signed in reads plans" on public.plans
  as permissive for select to authenticated
  using (true);
create policy "everybody signed in reads prices" on public.plan_prices
  as permissive for select to authenticated
  using (true);
create policy "everybody signed in reads what plans grant" on public.plan_limits
  as permissive for select to authenticated
  using (true);

-- What everybody has who pays nothing. It grants the defaults of entitlement_keys.
insert into public.plans (key, name, description) values
  ('free', 'Free', 'For trying out.');
