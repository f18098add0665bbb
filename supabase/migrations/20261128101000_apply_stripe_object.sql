-- Stores what was fetched from Stripe, unless something fetched later is stored already. All of it is plpgsql, which
-- keeps its plans: this runs once for every event.
set local lock_timeout = '5s';

-- True when it changed anything.
create function private.store_subscription(p_organization_id uuid, p_object jsonb) returns boolean
language plpgsql
set search_path = ''
as $$
declare
  rows_changed integer;
  changed boolean;
begin
  insert into public.subscriptions as present (
    stripe_subscription_id, organization_id, status, currency, trial_end, cancel_at, cancel_at_period_end, canceled_at,
    ended_at, pause_behavior, pause_resumes_at, livemode, created
  )
  select id, p_organization_id, status, currency, to_timestamp(trial_end), to_timestamp(cancel_at),
    coalesce(cancel_at_period_end, false), to_timestamp(canceled_at), to_timestamp(ended_at),
    pause_collection ->> 'behavior', to_timestamp((pause_collection ->> 'resumes_at')::double precision), livemode,
    to_timestamp(created)
  from jsonb_to_record(p_object) as given (
    id text, status text, currency text, trial_end double precision, cancel_at double precision,
    cancel_at_period_end boolean, canceled_at double precision, ended_at double precision, pause_collection jsonb,
    livemode boolean, created double precision
  )
  on conflict (stripe_subscription_id) do update set
    status = excluded.status, currency = excluded.currency, trial_end = excluded.trial_end,
    cancel_at = excluded.cancel_at, cancel_at_period_end = excluded.cancel_at_period_end,
    canceled_at = excluded.canceled_at, ended_at = excluded.ended_at, pause_behavior = excluded.pause_behavior,
    pause_resumes_at = excluded.pause_resumes_at, created = excluded.created
  where (
    present.status, present.currency, present.trial_end, present.cancel_at, present.cancel_at_period_end,
    present.canceled_at, present.ended_at, present.pause_behavior, present.pause_resumes_at, present.created
  ) is distinct from (
    excluded.status, excluded.currency, excluded.trial_end, excluded.cancel_at, excluded.cancel_at_period_end,
    excluded.canceled_at, excluded.ended_at, excluded.pause_behavior, excluded.pause_resumes_at, excluded.created
  );
  get diagnostics rows_changed = row_count;
  changed := rows_changed > 0;

  delete from public.subscription_items
  where organization_id = p_organization_id and stripe_subscription_id = p_object ->> 'id'
    and stripe_item_id <> all (array(select item ->> 'id' from jsonb_array_elements(p_object -> 'items') as item));
  get diagnostics rows_changed = row_count;
  changed := changed or rows_changed > 0;

  insert into public.subscription_items as present (
    stripe_item_id, organization_id, stripe_subscription_id, stripe_price_id, stripe_product_id, plan_key, quantity,
    metered, created, current_period_start, current_period_end
  )
  select given.id, p_organization_id, p_object ->> 'id', given.price_id, given.product_id,
    coalesce(plan_prices.plan_key, plans.key), coalesce(given.quantity, 1),
    coalesce(given.metered, false), to_timestamp(given.created), to_timestamp(given.current_period_start), to_timestamp(given.current_period_end)
  from jsonb_to_recordset(p_object -> 'items') as given (
    id text, price_id text, product_id text, quantity integer, metered boolean, created double precision,
    current_period_start double precision, current_period_end double precision
  )
  left join public.plan_prices on plan_prices.stripe_price_id = given.price_id
  left join public.plans on plans.stripe_product_id = given.product_id
  on conflict (stripe_item_id) do update set
    stripe_price_id = excluded.stripe_price_id, stripe_product_id = excluded.stripe_product_id,
    plan_key = excluded.plan_key, quantity = excluded.quantity, metered = excluded.metered, created = excluded.created,
    current_period_start = excluded.current_period_start, current_period_end = excluded.current_period_end
  where (
    present.stripe_price_id, present.stripe_product_id, present.plan_key, present.quantity, present.metered, present.created,
    present.current_period_start, present.current_period_end
  ) is distinct from (
    excluded.stripe_price_id, excluded.stripe_product_id, excluded.plan_key, excluded.quantity, excluded.metered, excluded.created,
    excluded.current_period_start, excluded.current_period_end
  );
  get diagnostics rows_changed = row_count;
  return changed or rows_changed > 0;
end
$$;

create function private.store_invoice(p_organization_id uuid, p_object jsonb) returns boolean
language plpgsql
set search_path = ''
as $$
begin
  insert into public.invoices as present (
    stripe_invoice_id, organization_id, stripe_subscription_id, number, status, currency, total, subtotal, tax,
    amount_due, amount_paid, amount_remaining, hosted_invoice_url, invoice_pdf, period_start, period_end, due_date,
    paid_at, lines, livemode, created
  )
  select id, p_organization_id, subscription_id, number, coalesce(status, 'draft'), currency, total, subtotal, tax,
    amount_due, amount_paid, amount_remaining, hosted_invoice_url, invoice_pdf, to_timestamp(period_start),
    to_timestamp(period_end), to_timestamp(due_date), to_timestamp(paid_at), coalesce(lines, '[]'), livemode,
    to_timestamp(created)
  from jsonb_to_record(p_object) as given (
    id text, subscription_id text, number text, status text, currency text, total bigint, subtotal bigint, tax bigint,
    amount_due bigint, amount_paid bigint, amount_remaining bigint, hosted_invoice_url text, invoice_pdf text,
    period_start double precision, period_end double precision, due_date double precision, paid_at double precision,
    lines jsonb, livemode boolean, created double precision
  )
  on conflict (stripe_invoice_id) do update set
    stripe_subscription_id = excluded.stripe_subscription_id, number = excluded.number, status = excluded.status,
    currency = excluded.currency, total = excluded.total, subtotal = excluded.subtotal, tax = excluded.tax,
    amount_due = excluded.amount_due, amount_paid = excluded.amount_paid, amount_remaining = excluded.amount_remaining,
    hosted_invoice_url = excluded.hosted_invoice_url, invoice_pdf = excluded.invoice_pdf,
    period_start = excluded.period_start, period_end = excluded.period_end, due_date = excluded.due_date,
    paid_at = excluded.paid_at, lines = excluded.lines, created = excluded.created
  where to_jsonb(present) - 'updated_at' <> to_jsonb(excluded) - 'updated_at';
  return found;
end
$$;

-- What the rows of an organization say together, whatever order they came in. Under the customer's lock.
create function private.settle_subscriptions(p_organization_id uuid) returns void
language plpgsql
set search_path = ''
as $$
declare
  current_id text;
begin
  update public.subscriptions set status = 'canceled'
  where organization_id = p_organization_id and rank is not null
    and exists (select from private.stripe_customers as gone where gone.organization_id = p_organization_id and gone.deleted);

  -- The plan, quantity and period of a subscription are those of the item that is its plan, not of what it bills by usage.
  update public.subscriptions as subscription set
    plan_key = main.plan_key, quantity = main.quantity, current_period_start = main.current_period_start,
    current_period_end = main.current_period_end, past_due_since = main.past_due_since
  from (
    select distinct on (present.stripe_subscription_id)
      present.stripe_subscription_id, plans.key as plan_key, coalesce(item.quantity, 1) as quantity,
      item.current_period_start, item.current_period_end,
      case present.status when 'past_due' then coalesce(
        (
          select min(coalesce(invoice.due_date, invoice.created)) from public.invoices as invoice
          where invoice.organization_id = p_organization_id
            and invoice.stripe_subscription_id = present.stripe_subscription_id
            and invoice.status = 'open'
        ),
        item.current_period_start, present.created
      ) end as past_due_since
    from public.subscriptions as present
    -- also of one that has lost all its items
    left join public.subscription_items as item using (organization_id, stripe_subscription_id)
    left join public.plans on plans.key = item.plan_key and plans.kind = 'plan'
    where present.organization_id = p_organization_id
    order by present.stripe_subscription_id, plans.key is null, item.metered, plans.position desc, item.stripe_item_id
  ) as main
  where subscription.stripe_subscription_id = main.stripe_subscription_id
    and (
      subscription.plan_key, subscription.quantity, subscription.current_period_start, subscription.current_period_end,
      subscription.past_due_since
    ) is distinct from (
      main.plan_key, main.quantity, main.current_period_start, main.current_period_end, main.past_due_since
    );

  select stripe_subscription_id into current_id from public.subscriptions
  where organization_id = p_organization_id and rank is not null
  -- One that goes on before one that ends or rests; then who was there first: what comes beside it is taken back.
  order by rank, plan_key is null, (cancel_at_period_end or cancel_at is not null or pause_behavior is not null), created,
    stripe_subscription_id
  limit 1;
  -- First from the one, then to the other: there is never a second.
  update public.subscriptions set is_current = false
  where organization_id = p_organization_id and is_current and stripe_subscription_id is distinct from current_id;
  update public.subscriptions set is_current = true
  where stripe_subscription_id = current_id and not is_current;
  perform private.note_metered_spans(p_organization_id);

  -- Somebody pays twice.
  insert into private.outbox (kind, organization_id)
  select 'billing.second', p_organization_id
  where exists (
    select from public.subscriptions where organization_id = p_organization_id and rank = 1 and not is_current
  ) and not exists (
    select from private.outbox
    where kind = 'billing.second' and organization_id = p_organization_id and done_at is null and attempts = 0
  );
end
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
  changed boolean;
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

  case
    when kind = 'customer' then
      update private.stripe_customers set deleted = true where customer_id = object_id and gone and not deleted;
      changed := found;
    when kind = 'invoice' and gone then
      delete from public.invoices where stripe_invoice_id = object_id and organization_id = customer.organization_id;
      changed := found;
    when kind = 'invoice' then
      changed := private.store_invoice(customer.organization_id, p_object);
    when gone then
      delete from public.subscriptions
      where stripe_subscription_id = object_id and organization_id = customer.organization_id;
      changed := found;
    else
      changed := private.store_subscription(customer.organization_id, p_object);
  end case;
  if changed then
    perform private.settle_subscriptions(customer.organization_id);
    -- Bought or changed with another number of seats than there are members.
    perform private.ask_for_seats(array[customer.organization_id])
    from private.billing_seats(customer.organization_id) where quantity <> members;
  end if;
  return jsonb_build_object('outcome', 'applied', 'changed', changed);
end
$$;

create function public.apply_stripe_object(p_ticket bigint, p_object jsonb) returns jsonb
language sql
set search_path = ''
as $$ select private.apply_stripe_object(p_ticket, p_object) $$;
comment on function public.apply_stripe_object is
  'Stores an object fetched from Stripe after its ticket was drawn. Outcomes: applied, stale, unlinked, wrong_mode. Codes (hint): invalid_object.';

grant execute on function private.apply_stripe_object, public.apply_stripe_object to service_role;
