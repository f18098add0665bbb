-- How far the comparison with Stripe has come: each list is walked through once a day, a page at a time, by whoever is free.
set local lock_timeout = '5s';

create table private.stripe_reconcile (
  list text primary key check (list in ('subscriptions', 'invoices', 'open_invoices')),
  -- the last object of the page before; null at the beginning
  after text,
  checked bigint not null default 0,
  changed bigint not null default 0,
  begun_at timestamptz,
  finished_at timestamptz,
  -- one walker has the list until then; another takes over when it does not report
  leased_until timestamptz not null default '-infinity'
);
alter table private.stripe_reconcile enable row level security;

insert into private.stripe_reconcile (list) values ('subscriptions'), ('invoices'), ('open_invoices');

create function private.next_stripe_page(p_lease_seconds integer) returns table (list text, after text)
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
  update private.stripe_reconcile as walk set
    leased_until = now() + make_interval(secs => p_lease_seconds),
    begun_at = case when walk.finished_at is null then coalesce(walk.begun_at, now()) else now() end,
    after = case when walk.finished_at is null then walk.after end,
    checked = case when walk.finished_at is null then walk.checked else 0 end,
    changed = case when walk.finished_at is null then walk.changed else 0 end,
    finished_at = null
  where walk.list = (
    select due.list from private.stripe_reconcile as due
    where due.leased_until <= now() and (due.finished_at is null or due.finished_at <= now() - interval '1 day')
    -- invoices name subscriptions; what is open after them is asked for one by one
    order by due.list = 'open_invoices', due.list desc
    limit 1
    for update skip locked
  )
  returning walk.list, walk.after
$$;

create function private.finish_stripe_page(
  p_list text, p_after text, p_checked integer, p_changed integer
) returns void
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
  update private.stripe_reconcile set
    after = p_after, checked = checked + p_checked, changed = changed + p_changed, leased_until = now(),
    finished_at = case when p_after is null then now() end
  where list = p_list
$$;

-- What no list at Stripe may have any more: drafts that were deleted, and debts older than the lists that are read.
create function private.open_stripe_invoices(p_after text, p_limit integer)
returns table (id text, customer_id text, livemode boolean)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select stripe_invoice_id, customer.customer_id, customer.livemode
  from public.invoices
  join private.stripe_customers as customer using (organization_id)
  where status in ('draft', 'open') and not customer.deleted and stripe_invoice_id > coalesce(p_after, '')
  order by stripe_invoice_id
  limit p_limit
$$;

create function public.open_stripe_invoices(p_after text default null, p_limit integer default 100)
returns table (id text, customer_id text, livemode boolean)
language sql stable
set search_path = ''
as $$ select * from private.open_stripe_invoices(p_after, p_limit) $$;
comment on function public.open_stripe_invoices is 'Invoices that are neither paid nor given up, with their customers; the last id is p_after of the next page.';

create function public.next_stripe_page(p_lease_seconds integer default 120) returns table (list text, after text)
language sql
set search_path = ''
as $$ select * from private.next_stripe_page(p_lease_seconds) $$;
comment on function public.next_stripe_page is 'The list at Stripe to go on with, and where; no row when all was compared in the last day.';

create function public.finish_stripe_page(
  p_list text, p_checked integer, p_changed integer, p_after text default null
) returns void
language sql
set search_path = ''
as $$ select private.finish_stripe_page(p_list, p_after, p_checked, p_changed) $$;
comment on function public.finish_stripe_page is 'A page was compared; p_after is its last object, null when it was the last page.';

grant execute on function
  private.next_stripe_page, private.finish_stripe_page, private.open_stripe_invoices,
  public.next_stripe_page, public.finish_stripe_page, public.open_stripe_invoices
  to service_role;
