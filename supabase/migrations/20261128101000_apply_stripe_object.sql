-- Stores what was fetched from Stripe, unless something fetched later is stored already.
set local lock_timeout = '5s';

create function private.stripe_time(p_seconds text) returns timestamptz
language sql immutable
set search_path = ''
return to_timestamp(p_seconds::double precision);

-- What the rows of an organization say together, whatever order they came in. Under the customer's lock.
create function private.settle_subscriptions(p_organization_id uuid) returns void
language plpgsql
set search_path = ''
as $$
begin
  update public.subscriptions as subscription set status = 'canceled'
  from private.stripe_customers as customer
  where customer.organization_id = p_organization_id and customer.deleted
    and subscription.organization_id = p_organization_id
    and private.subscription_rank(subscription.status) is not null;

  update public.subscriptions as subscription set past_due_since = late.since
  from (
    select stripe_subscription_id,
      case when status = 'past_due' then coalesce(
        (
          select min(coalesce(invoice.due_date, invoice.created)) from public.invoices as invoice
          where invoice.organization_id = present.organization_id
            and invoice.stripe_subscription_id = present.stripe_subscription_id
            and invoice.status = 'open'
        ),
        present.current_period_start, present.created
      ) end as since
    from public.subscriptions as present
    where present.organization_id = p_organization_id
  ) as late
  where subscription.stripe_subscription_id = late.stripe_subscription_id
    and subscription.past_due_since is distinct from late.since;

  -- First from the one, then to the other: there is never a second.
  update public.subscriptions set is_current = false
  where organization_id = p_organization_id and is_current
    and stripe_subscription_id is distinct from private.current_subscription(p_organization_id);
  update public.subscriptions set is_current = true
  where organization_id = p_organization_id and not is_current
    and stripe_subscription_id = private.current_subscription(p_organization_id);
end
$$;

create function private.current_subscription(p_organization_id uuid) returns text
language sql stable
set search_path = ''
as $$
  select stripe_subscription_id from public.subscriptions
  where organization_id = p_organization_id and private.subscription_rank(status) is not null
  order by private.subscription_rank(status), plan_key is null, created desc, stripe_subscription_id desc
  limit 1
$$;

create function private.plan_of_price(p_price_id text, p_product_id text) returns text
language sql stable
set search_path = ''
as $$
  select coalesce(
    (select plan_key from public.plan_prices where stripe_price_id = p_price_id),
    (select key from public.plans where stripe_product_id = p_product_id)
  )
$$;

create function private.store_subscription(p_organization_id uuid, p_object jsonb) returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into public.subscriptions as present (
    stripe_subscription_id, organization_id, status, currency, trial_end, cancel_at, cancel_at_period_end, canceled_at,
    ended_at, pause_behavior, pause_resumes_at, livemode, created
  )
  values (
    p_object ->> 'id', p_organization_id, p_object ->> 'status', p_object ->> 'currency',
    private.stripe_time(p_object ->> 'trial_end'), private.stripe_time(p_object ->> 'cancel_at'),
    coalesce((p_object ->> 'cancel_at_period_end')::boolean, false), private.stripe_time(p_object ->> 'canceled_at'),
    private.stripe_time(p_object ->> 'ended_at'), p_object #>> '{pause_collection,behavior}',
    private.stripe_time(p_object #>> '{pause_collection,resumes_at}'), (p_object ->> 'livemode')::boolean,
    private.stripe_time(p_object ->> 'created')
  )
  on conflict (stripe_subscription_id) do update set
    status = excluded.status, currency = excluded.currency, trial_end = excluded.trial_end,
    cancel_at = excluded.cancel_at, cancel_at_period_end = excluded.cancel_at_period_end,
    canceled_at = excluded.canceled_at, ended_at = excluded.ended_at, pause_behavior = excluded.pause_behavior,
    pause_resumes_at = excluded.pause_resumes_at, livemode = excluded.livemode, created = excluded.created
  where (
    present.status, present.currency, present.trial_end, present.cancel_at, present.cancel_at_period_end,
    present.canceled_at, present.ended_at, present.pause_behavior, present.pause_resumes_at, present.created
  ) is distinct from (
    excluded.status, excluded.currency, excluded.trial_end, excluded.cancel_at, excluded.cancel_at_period_end,
    excluded.canceled_at, excluded.ended_at, excluded.pause_behavior, excluded.pause_resumes_at, excluded.created
  );

  delete from public.subscription_items
  where organization_id = p_organization_id and stripe_subscription_id = p_object ->> 'id'
    and stripe_item_id not in (select item ->> 'id' from jsonb_array_elements(p_object -> 'items') as item);
  insert into public.subscription_items as present (
    stripe_item_id, organization_id, stripe_subscription_id, stripe_price_id, stripe_product_id, plan_key, quantity,
    current_period_start, current_period_end
  )
  select item ->> 'id', p_organization_id, p_object ->> 'id', item ->> 'price_id', item ->> 'product_id',
    private.plan_of_price(item ->> 'price_id', item ->> 'product_id'), coalesce((item ->> 'quantity')::integer, 1),
    private.stripe_time(item ->> 'current_period_start'), private.stripe_time(item ->> 'current_period_end')
  from jsonb_array_elements(p_object -> 'items') as item
  on conflict (stripe_item_id) do update set
    stripe_price_id = excluded.stripe_price_id, stripe_product_id = excluded.stripe_product_id,
    plan_key = excluded.plan_key, quantity = excluded.quantity, current_period_start = excluded.current_period_start,
    current_period_end = excluded.current_period_end
  where (
    present.stripe_price_id, present.stripe_product_id, present.plan_key, present.quantity,
    present.current_period_start, present.current_period_end
  ) is distinct from (
    excluded.stripe_price_id, excluded.stripe_product_id, excluded.plan_key, excluded.quantity,
    excluded.current_period_start, excluded.current_period_end
  );
  perform private.follow_main_item(p_organization_id, p_object ->> 'id');
end
$$;

-- The plan, quantity and period of a subscription are those of the item that is its plan.
create function private.follow_main_item(p_organization_id uuid, p_subscription_id text) returns void
language sql
set search_path = ''
as $$
  update public.subscriptions as subscription set
    plan_key = main.plan_key, quantity = main.quantity,
    current_period_start = main.current_period_start, current_period_end = main.current_period_end
  from (
    select plans.key as plan_key, item.quantity, item.current_period_start, item.current_period_end
    from public.subscription_items as item
    left join public.plans on plans.key = item.plan_key and plans.kind = 'plan'
    where item.organization_id = p_organization_id and item.stripe_subscription_id = p_subscription_id
    order by plans.key is null, plans.position desc, item.stripe_item_id
    limit 1
  ) as main
  where subscription.stripe_subscription_id = p_subscription_id
    and subscription.organization_id = p_organization_id
    and (
      subscription.plan_key, subscription.quantity, subscription.current_period_start, subscription.current_period_end
    ) is distinct from (main.plan_key, main.quantity, main.current_period_start, main.current_period_end)
$$;

create function private.store_invoice(p_organization_id uuid, p_object jsonb) returns void
language sql
set search_path = ''
as $$
  insert into public.invoices as present (
    stripe_invoice_id, organization_id, stripe_subscription_id, number, status, currency, total, subtotal, tax,
    amount_due, amount_paid, amount_remaining, hosted_invoice_url, invoice_pdf, period_start, period_end, due_date,
    paid_at, lines, livemode, created
  )
  values (
    p_object ->> 'id', p_organization_id, p_object ->> 'subscription_id', p_object ->> 'number',
    coalesce(p_object ->> 'status', 'draft'), p_object ->> 'currency',
    (p_object ->> 'total')::bigint, (p_object ->> 'subtotal')::bigint, (p_object ->> 'tax')::bigint,
    (p_object ->> 'amount_due')::bigint, (p_object ->> 'amount_paid')::bigint,
    (p_object ->> 'amount_remaining')::bigint, p_object ->> 'hosted_invoice_url', p_object ->> 'invoice_pdf',
    private.stripe_time(p_object ->> 'period_start'), private.stripe_time(p_object ->> 'period_end'),
    private.stripe_time(p_object ->> 'due_date'), private.stripe_time(p_object ->> 'paid_at'),
    coalesce(p_object -> 'lines', '[]'), (p_object ->> 'livemode')::boolean,
    private.stripe_time(p_object ->> 'created')
  )
  on conflict (stripe_invoice_id) do update set
    stripe_subscription_id = excluded.stripe_subscription_id, number = excluded.number, status = excluded.status,
    currency = excluded.currency, total = excluded.total, subtotal = excluded.subtotal, tax = excluded.tax,
    amount_due = excluded.amount_due, amount_paid = excluded.amount_paid, amount_remaining = excluded.amount_remaining,
    hosted_invoice_url = excluded.hosted_invoice_url, invoice_pdf = excluded.invoice_pdf,
    period_start = excluded.period_start, period_end = excluded.period_end, due_date = excluded.due_date,
    paid_at = excluded.paid_at, lines = excluded.lines, livemode = excluded.livemode, created = excluded.created
  where to_jsonb(present) - 'updated_at' <> to_jsonb(excluded) - 'updated_at'
$$;

-- Everything of one customer takes turns: first the organization, as everywhere, so that a purge waits.
create function private.apply_stripe_object(p_ticket bigint, p_object jsonb) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  object_id constant text := p_object ->> 'id';
  kind constant text := p_object ->> 'kind';
  gone constant boolean := coalesce((p_object ->> 'deleted')::boolean, false);
  customer private.stripe_customers;
  before jsonb;
begin
  if p_ticket is null or object_id is null or kind is null or kind not in ('subscription', 'invoice', 'customer')
    or (kind = 'subscription' and not gone and jsonb_typeof(p_object -> 'items') is distinct from 'array')
  then
    raise exception using errcode = '22023', hint = 'invalid_object',
      message = 'An object has a ticket, an id, and is a customer, an invoice, or a subscription with its items.';
  end if;

  perform from public.organizations
  where id = (select organization_id from private.stripe_customers where customer_id = p_object ->> 'customer_id')
  for key share;
  select * into customer from private.stripe_customers where customer_id = p_object ->> 'customer_id' for update;
  if not found then
    return '{"outcome": "unlinked", "changed": false}';
  end if;
  if customer.livemode is distinct from (p_object ->> 'livemode')::boolean then
    return '{"outcome": "wrong_mode", "changed": false}';
  end if;

  insert into private.stripe_objects as present (object_id, organization_id, kind, ticket, deleted)
  values (object_id, customer.organization_id, kind, p_ticket, gone)
  on conflict on constraint stripe_objects_pkey do update set ticket = excluded.ticket, deleted = excluded.deleted
  where present.ticket < excluded.ticket;
  if not found then
    return '{"outcome": "stale", "changed": false}';
  end if;

  before := private.stored_stripe_state(customer.organization_id, object_id);
  case
    when kind = 'customer' then
      update private.stripe_customers set deleted = true where customer_id = object_id and gone;
    when kind = 'invoice' and gone then
      delete from public.invoices where stripe_invoice_id = object_id and organization_id = customer.organization_id;
    when kind = 'invoice' then
      perform private.store_invoice(customer.organization_id, p_object);
    when gone then
      delete from public.subscriptions
      where stripe_subscription_id = object_id and organization_id = customer.organization_id;
    else
      perform private.store_subscription(customer.organization_id, p_object);
  end case;
  perform private.settle_subscriptions(customer.organization_id);
  -- Bought or changed with another number of seats than there are members.
  perform private.ask_for_seats(array[customer.organization_id])
  from private.billing_seats(customer.organization_id) where quantity <> members;
  return jsonb_build_object(
    'outcome', 'applied',
    'changed', before is distinct from private.stored_stripe_state(customer.organization_id, object_id)
  );
end
$$;

-- All that an object may have changed, but for when.
create function private.stored_stripe_state(p_organization_id uuid, p_object_id text) returns jsonb
language sql stable
set search_path = ''
as $$
  select jsonb_build_array(
    (select deleted from private.stripe_customers where organization_id = p_organization_id),
    (select jsonb_agg(to_jsonb(subscriptions) - 'updated_at' order by stripe_subscription_id)
     from public.subscriptions where organization_id = p_organization_id),
    (select jsonb_agg(to_jsonb(subscription_items) order by stripe_item_id)
     from public.subscription_items
     where organization_id = p_organization_id and stripe_subscription_id = p_object_id),
    (select to_jsonb(invoices) - 'updated_at' from public.invoices where stripe_invoice_id = p_object_id)
  )
$$;

create function public.apply_stripe_object(p_ticket bigint, p_object jsonb) returns jsonb
language sql
set search_path = ''
as $$ select private.apply_stripe_object(p_ticket, p_object) $$;
comment on function public.apply_stripe_object is
  'Stores an object fetched from Stripe after its ticket was drawn. Outcomes: applied, stale, unlinked, wrong_mode. Codes (hint): invalid_object.';

grant execute on function private.apply_stripe_object, public.apply_stripe_object to service_role;
