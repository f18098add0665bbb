-- What functions/billing works with, for those who may manage billing.
set local lock_timeout = '5s';

-- The plan's seats, and no more than an operator allows.
create function private.seat_limit(p_organization_id uuid) returns bigint
language sql stable
set search_path = ''
as $$
  select least(
    private.entitlement(p_organization_id, 'seats'),
    (select seat_limit from public.organizations where id = p_organization_id)
  )
$$;

create function private.billing_context(p_organization_id uuid) returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
-- jsonb writes times in the session's zone
set timezone = 'UTC'
as $$
begin
  perform private.require_permission(p_organization_id, 'billing.manage');
  return (
    select jsonb_build_object(
      'organization', jsonb_build_object('id', organization.id, 'name', organization.name, 'slug', organization.slug),
      'customer_id', customer.customer_id,
      'livemode', customer.livemode,
      'state', billing.state,
      'plan_key', coalesce(billing.plan_key, 'free'),
      'seats', jsonb_build_object(
        'used', (select count(*) from public.memberships where organization_id = organization.id),
        'limit', private.seat_limit(organization.id),
        'billing', coalesce(billing.seat_billing, 'included')
      ),
      'subscription', (
        select jsonb_build_object(
          'id', subscription.stripe_subscription_id, 'status', subscription.status,
          'plan_key', subscription.plan_key, 'currency', subscription.currency, 'quantity', subscription.quantity,
          'current_period_start', subscription.current_period_start,
          'current_period_end', subscription.current_period_end, 'trial_end', subscription.trial_end,
          'cancel_at', subscription.cancel_at, 'cancel_at_period_end', subscription.cancel_at_period_end,
          'livemode', subscription.livemode,
          'items', (
            select coalesce(jsonb_agg(
              jsonb_build_object(
                'id', item.stripe_item_id, 'price_id', item.stripe_price_id, 'plan_key', item.plan_key,
                'kind', plans.kind, 'quantity', item.quantity, 'metered', item.metered
              ) order by item.stripe_item_id
            ), '[]')
            from public.subscription_items as item
            left join public.plans on plans.key = item.plan_key
            where item.organization_id = organization.id
              and item.stripe_subscription_id = subscription.stripe_subscription_id
          )
        )
        from public.subscriptions as subscription
        where subscription.organization_id = organization.id and subscription.is_current
      )
    )
    from public.organizations as organization
    left join private.stripe_customers as customer on customer.organization_id = organization.id and not customer.deleted
    cross join private.billing_state(organization.id) as billing
    where organization.id = p_organization_id
  );
end
$$;

create function public.billing_context(p_organization_id uuid) returns jsonb
language sql stable
set search_path = ''
as $$ select private.billing_context(p_organization_id) $$;
comment on function public.billing_context is
  'Customer, subscription, plan and seats of an organization, for those who manage billing. Codes (hint): not_permitted.';

grant execute on function private.billing_context, public.billing_context to authenticated;
