-- What the stored rows and the clock make of a subscription. No job has to run for it to change: docs/billing.md has
-- the table.
set local lock_timeout = '5s';

create function private.billing_state(p_organization_id uuid)
returns table (
  stripe_subscription_id text, plan_key text, seat_billing text, quantity integer, state text,
  -- when the clock alone makes it another one
  changes_at timestamptz
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  subscription public.subscriptions;
  grace_days integer;
  ends_at timestamptz;
  grace_ends_at timestamptz;
begin
  select * into subscription from public.subscriptions as present
  where present.organization_id = p_organization_id and present.is_current;
  stripe_subscription_id := subscription.stripe_subscription_id;
  quantity := subscription.quantity;
  select plans.seat_billing, plans.grace_days into seat_billing, grace_days
  from public.plans where plans.key = subscription.plan_key;

  ends_at := least(
    subscription.cancel_at,
    case when subscription.cancel_at_period_end then subscription.current_period_end end
  );
  -- A trial whose end was not followed by word of a payment is a payment that is late.
  grace_ends_at := case subscription.status
    when 'past_due' then subscription.past_due_since
    when 'trialing' then subscription.trial_end
  end + make_interval(days => coalesce(grace_days, 7));

  state := case
    when subscription.stripe_subscription_id is null or ends_at <= now() then 'none'
    -- `void` is Stripe's way to stop the service; the other behaviours go on with it and forgo or delay the money
    when subscription.pause_behavior = 'void' and coalesce(subscription.pause_resumes_at > now(), true) then 'none'
    when subscription.status = 'active' then 'active'
    when subscription.status = 'trialing' and coalesce(subscription.trial_end > now(), true) then 'active'
    when subscription.status in ('past_due', 'trialing')
      then case when grace_ends_at > now() then 'grace' else 'suspended' end
    when subscription.status = 'unpaid' then 'suspended'
    else 'none'
  end;
  plan_key := case when state in ('active', 'grace') then subscription.plan_key end;

  select coalesce(min(boundary), 'infinity') into changes_at
  from unnest(array[
    ends_at, grace_ends_at,
    case subscription.status when 'trialing' then subscription.trial_end end,
    case subscription.pause_behavior when 'void' then subscription.pause_resumes_at end
  ]) as boundary
  where boundary > now();
  return next;
end
$$;

create function private.subscription_state(p_organization_id uuid) returns text
language sql stable
set search_path = ''
as $$ select state from private.billing_state(p_organization_id) $$;
comment on function private.subscription_state is
  'none (what is free) | active | grace (late with a payment, keeps the plan) | suspended (what is free, and the data plane asks for payment).';

grant execute on function private.billing_state, private.subscription_state to service_role;
