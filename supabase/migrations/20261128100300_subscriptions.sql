-- What an organization subscribes to, as Stripe last said. Only apply_stripe_object writes here.
set local lock_timeout = '5s';

insert into public.permissions (key, description) values
  ('billing.read', 'See the subscription, its invoices and what was agreed on.'),
  ('billing.manage', 'Buy, change and cancel the subscription.');
insert into public.role_permissions (role_key, permission) values
  ('owner', 'billing.read'), ('owner', 'billing.manage'),
  -- else an admin could not add or remove those of role billing: nobody touches who is above them
  ('admin', 'billing.read'), ('admin', 'billing.manage'),
  ('billing', 'billing.read'), ('billing', 'billing.manage');

create table public.subscriptions (
  stripe_subscription_id text primary key,
  organization_id uuid not null references public.organizations (id) on delete cascade,
  -- an open set: one that is not known entitles to nothing
  status text not null,
  -- null: none of its prices is known
  plan_key text references public.plans (key),
  currency text not null constraint invalid_currency check (currency ~ '^[a-z]{3}$'),
  quantity integer not null default 1,
  current_period_start timestamptz,
  current_period_end timestamptz,
  trial_end timestamptz,
  cancel_at timestamptz,
  cancel_at_period_end boolean not null default false,
  canceled_at timestamptz,
  ended_at timestamptz,
  pause_behavior text,
  pause_resumes_at timestamptz,
  -- the oldest debt of a past_due one
  past_due_since timestamptz,
  -- which of several entitles: the lowest, then the newest; null when it has ended
  rank smallint generated always as (
    case
      when status in ('canceled', 'incomplete_expired') then null
      when status in ('active', 'trialing') then 1
      when status = 'past_due' then 2
      -- a first payment under way does not push aside what is paid for
      when status = 'incomplete' then 4
      else 3
    end
  ) stored,
  -- the one that entitles; another that has not ended is a duplicate
  is_current boolean not null default false,
  livemode boolean not null,
  created timestamptz not null,
  updated_at timestamptz not null default now(),
  unique (organization_id, stripe_subscription_id)
);
comment on table public.subscriptions is 'Subscriptions as Stripe has them. At most one of an organization is current.';
comment on column public.subscriptions.quantity is 'Of the plan''s item: seats, where the plan is sold by the seat.';

create unique index subscriptions_current on public.subscriptions (organization_id) where is_current;
create index subscriptions_plan on public.subscriptions (plan_key);

create table public.subscription_items (
  stripe_item_id text primary key,
  organization_id uuid not null,
  stripe_subscription_id text not null,
  stripe_price_id text not null,
  stripe_product_id text,
  plan_key text references public.plans (key),
  quantity integer not null default 1,
  -- usage is billed, and its quantity says nothing
  metered boolean not null default false,
  created timestamptz,
  current_period_start timestamptz,
  current_period_end timestamptz,
  foreign key (organization_id, stripe_subscription_id)
    references public.subscriptions (organization_id, stripe_subscription_id) on delete cascade
);
comment on table public.subscription_items is 'What a subscription consists of: a plan with what it bills by usage, and add-ons.';

create index subscription_items_subscription
  on public.subscription_items (organization_id, stripe_subscription_id);
create index subscription_items_plan on public.subscription_items (plan_key);

alter table public.subscriptions enable row level security;
alter table public.subscription_items enable row level security;

create trigger set_updated_at before update on public.subscriptions
  for each row execute function private.set_updated_at();

revoke all on public.subscriptions, public.subscription_items from public, anon, authenticated, service_role;
grant select on public.subscriptions, public.subscription_items to authenticated, service_role;

create policy "those who may see billing read subscriptions" on public.subscriptions
  as permissive for select to authenticated
  using (organization_id = any ((select private.orgs_with('billing.read'))::uuid[]));
create policy "those who may see billing read what they consist of" on public.subscription_items
  as permissive for select to authenticated
  using (organization_id = any ((select private.orgs_with('billing.read'))::uuid[]));
