-- One plan with its limits and prices, from the checked-in list. Idempotent.
set local lock_timeout = '5s';

create function private.sync_plan(p_plan jsonb) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  synced constant text := p_plan ->> 'key';
  before constant jsonb := private.plan_as_json(synced);
begin
  insert into public.plans as present (
    key, kind, name, description, position, features, is_public, archived_at, seat_billing, grace_days,
    stripe_product_id
  )
  values (
    synced, coalesce(p_plan ->> 'kind', 'plan'), p_plan ->> 'name', coalesce(p_plan ->> 'description', ''),
    coalesce((p_plan ->> 'position')::integer, 0), coalesce(p_plan -> 'features', '[]'),
    coalesce((p_plan ->> 'is_public')::boolean, true), case when (p_plan ->> 'archived')::boolean then now() end,
    coalesce(p_plan ->> 'seat_billing', 'included'), coalesce((p_plan ->> 'grace_days')::integer, 7),
    p_plan ->> 'stripe_product_id'
  )
  on conflict (key) do update set
    kind = excluded.kind, name = excluded.name, description = excluded.description, position = excluded.position,
    features = excluded.features, is_public = excluded.is_public,
    archived_at = case when excluded.archived_at is not null then coalesce(present.archived_at, excluded.archived_at) end,
    seat_billing = excluded.seat_billing, grace_days = excluded.grace_days, stripe_product_id = excluded.stripe_product_id
  where (
    present.kind, present.name, present.description, present.position, present.features, present.is_public,
    present.archived_at is null, present.seat_billing, present.grace_days, present.stripe_product_id
  ) is distinct from (
    excluded.kind, excluded.name, excluded.description, excluded.position, excluded.features, excluded.is_public,
    excluded.archived_at is null, excluded.seat_billing, excluded.grace_days, excluded.stripe_product_id
  );

  delete from public.plan_limits
  where plan_key = synced
    and key <> all (array(select given ->> 'key' from jsonb_array_elements(p_plan -> 'limits') as given));
  insert into public.plan_limits as present (plan_key, key, value, overage)
  select synced, given ->> 'key', (given ->> 'value')::bigint, coalesce((given ->> 'overage')::boolean, false)
  from jsonb_array_elements(p_plan -> 'limits') as given
  on conflict (plan_key, key) do update set value = excluded.value, overage = excluded.overage
  where (present.value, present.overage) is distinct from (excluded.value, excluded.overage);

  -- Who takes over a lookup key takes it away first.
  update public.plan_prices as price set lookup_key = null
  from jsonb_array_elements(p_plan -> 'prices') as given
  where price.lookup_key = given ->> 'lookup_key' and price.livemode = (given ->> 'livemode')::boolean
    and price.stripe_price_id <> given ->> 'stripe_price_id';
  update public.plan_prices set active = false
  where plan_key = synced and active
    and livemode in (select (given ->> 'livemode')::boolean from jsonb_array_elements(p_plan -> 'prices') as given)
    and stripe_price_id <> all (
      array(select given ->> 'stripe_price_id' from jsonb_array_elements(p_plan -> 'prices') as given)
    );
  insert into public.plan_prices as present
    (stripe_price_id, plan_key, interval, currency, unit_amount, metric, unit_rate, included, lookup_key, active, livemode)
  select given ->> 'stripe_price_id', synced, given ->> 'interval', given ->> 'currency',
    (given ->> 'unit_amount')::bigint, given ->> 'metric', (given ->> 'unit_rate')::numeric,
    (given ->> 'included')::bigint, given ->> 'lookup_key', coalesce((given ->> 'active')::boolean, true),
    (given ->> 'livemode')::boolean
  from jsonb_array_elements(p_plan -> 'prices') as given
  on conflict (stripe_price_id) do update set
    plan_key = excluded.plan_key, interval = excluded.interval, currency = excluded.currency,
    unit_amount = excluded.unit_amount, metric = excluded.metric,
    unit_rate = excluded.unit_rate, included = excluded.included, lookup_key = excluded.lookup_key, active = excluded.active,
    livemode = excluded.livemode
  where to_jsonb(present) <> to_jsonb(excluded);

  if before is not distinct from private.plan_as_json(synced) then
    return false;
  end if;
  perform private.rename_plans_of_items();
  return true;
exception
  when foreign_key_violation then
    raise exception using errcode = '22023', hint = 'unknown_entitlement',
      message = format('A limit of plan %s is not in entitlement_keys. Its migration adds it there.', synced);
  when integrity_constraint_violation or data_exception then
    raise exception using errcode = '22023', hint = 'invalid_plan',
      message = format('Plan %s is refused: %s', synced, sqlerrm);
end
$$;

create function private.plan_as_json(p_key text) returns jsonb
language sql stable
set search_path = ''
as $$
  select jsonb_build_array(
    (select to_jsonb(plans) - 'updated_at' from public.plans where key = p_key),
    (select jsonb_agg(to_jsonb(plan_limits) order by key) from public.plan_limits where plan_key = p_key),
    (select jsonb_agg(to_jsonb(plan_prices) order by stripe_price_id) from public.plan_prices where plan_key = p_key)
  )
$$;

-- Subscriptions may be older than what we know of their prices.
create function private.rename_plans_of_items() returns void
language plpgsql
set search_path = ''
as $$
declare
  affected record;
begin
  for affected in
    select item.organization_id, array_agg(item.stripe_item_id) as items, array_agg(known.plan_key) as plans
    from public.subscription_items as item
    left join public.plan_prices using (stripe_price_id)
    left join public.plans using (stripe_product_id)
    cross join lateral (select coalesce(plan_prices.plan_key, plans.key)) as known (plan_key)
    where item.plan_key is distinct from known.plan_key
      -- or that it is billed by usage
      or (plan_prices.metric is not null and not exists (
        select from private.metered_spans as span
        where span.organization_id = item.organization_id and span.metric = plan_prices.metric
          and span.stripe_item_id = item.stripe_item_id
      ))
    group by item.organization_id
    order by item.organization_id
  loop
    -- in the order of apply_stripe_object
    perform from public.organizations where id = affected.organization_id for key share;
    perform from private.stripe_customers where organization_id = affected.organization_id for update;
    update public.subscription_items as item set plan_key = renamed.plan_key
    from unnest(affected.items, affected.plans) as renamed (stripe_item_id, plan_key)
    where item.stripe_item_id = renamed.stripe_item_id;
    perform private.settle_subscriptions(affected.organization_id);
  end loop;
end
$$;

create function public.sync_plan(p_plan jsonb) returns boolean
language sql
set search_path = ''
as $$ select private.sync_plan(p_plan) $$;
comment on function public.sync_plan is
  'Stores a plan or add-on with its limits and prices; true when that changed anything. Codes (hint): unknown_entitlement, invalid_plan.';

grant execute on function private.sync_plan, public.sync_plan to service_role;
