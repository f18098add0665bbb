-- From when to when a subscription bills a metric by usage. Its items come and go with the plans that are chosen; what was
-- used meanwhile is to be reported though they are gone, and nothing that was used before they came.
set local lock_timeout = '5s';

create table private.metered_spans (
  organization_id uuid not null references public.organizations (id) on delete cascade,
  metric text not null,
  stripe_item_id text not null,
  stripe_subscription_id text not null,
  starts_at timestamptz not null,
  -- null while it lasts
  ends_at timestamptz check (ends_at >= starts_at),
  primary key (organization_id, metric, stripe_item_id)
);
alter table private.metered_spans enable row level security;

-- Under the customer's lock, from the stored rows.
create function private.note_metered_spans(p_organization_id uuid) returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into private.metered_spans as span (organization_id, metric, stripe_item_id, stripe_subscription_id, starts_at)
  select p_organization_id, price.metric, item.stripe_item_id, subscription.stripe_subscription_id,
    coalesce(item.created, subscription.created)
  from public.subscriptions as subscription
  join public.subscription_items as item using (organization_id, stripe_subscription_id)
  join public.plan_prices as price using (stripe_price_id)
  where subscription.organization_id = p_organization_id and subscription.is_current and price.metric is not null
  order by price.metric
  on conflict on constraint metered_spans_pkey do update set ends_at = null where span.ends_at is not null;

  -- When exactly an item went, Stripe does not tell. What is reported beyond it has no item to be billed by.
  update private.metered_spans as span set ends_at = greatest(
    span.starts_at,
    coalesce(
      (
        select ended_at from public.subscriptions
        where organization_id = p_organization_id and stripe_subscription_id = span.stripe_subscription_id
      ),
      now()
    )
  )
  where span.organization_id = p_organization_id and span.ends_at is null and not exists (
    select from public.subscription_items as item
    join public.subscriptions as subscription using (organization_id, stripe_subscription_id)
    join public.plan_prices as price using (stripe_price_id)
    where item.stripe_item_id = span.stripe_item_id and item.organization_id = p_organization_id
      and price.metric = span.metric and subscription.is_current
  );
end
$$;
