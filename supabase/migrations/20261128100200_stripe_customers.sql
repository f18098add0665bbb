-- Which customer at Stripe is which organization. This link alone decides whose an event is, never its metadata.
set local lock_timeout = '5s';

create table private.stripe_customers (
  organization_id uuid primary key references public.organizations (id) on delete cascade,
  customer_id text not null unique,
  livemode boolean not null,
  -- at Stripe: such a customer never comes back
  deleted boolean not null default false,
  created_at timestamptz not null default now()
);
alter table private.stripe_customers enable row level security;

-- The first wins, and everybody gets the winner's customer. One who was deleted is replaced.
create function private.link_stripe_customer(p_organization_id uuid, p_customer_id text, p_livemode boolean)
returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  linked private.stripe_customers;
begin
  insert into private.stripe_customers as present (organization_id, customer_id, livemode)
  values (p_organization_id, p_customer_id, p_livemode)
  on conflict (organization_id) do update
    set customer_id = excluded.customer_id, livemode = excluded.livemode, deleted = false, created_at = now()
    where present.deleted and present.customer_id <> excluded.customer_id;

  select * into linked from private.stripe_customers where organization_id = p_organization_id;
  if linked.livemode <> p_livemode then
    raise exception using errcode = 'PT409', hint = 'wrong_mode',
      message = 'The organization is a customer in Stripe''s other mode. Use the key of that mode.';
  end if;
  return linked.customer_id;
exception
  when unique_violation then
    raise exception using errcode = 'PT409', hint = 'customer_taken',
      message = 'This customer belongs to another organization.';
  when foreign_key_violation then
    raise exception using errcode = 'PT404', hint = 'organization_not_found',
      message = 'There is no such organization.';
end
$$;

create function private.stripe_customer(p_organization_id uuid)
returns table (customer_id text, livemode boolean)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select customer_id, livemode from private.stripe_customers
  where organization_id = p_organization_id and not deleted
$$;

create function public.link_stripe_customer(p_organization_id uuid, p_customer_id text, p_livemode boolean)
returns text
language sql
set search_path = ''
as $$ select private.link_stripe_customer(p_organization_id, p_customer_id, p_livemode) $$;
comment on function public.link_stripe_customer is
  'The customer of the organization: this one, or who was first. Codes (hint): organization_not_found, customer_taken, wrong_mode.';

create function public.stripe_customer(p_organization_id uuid)
returns table (customer_id text, livemode boolean)
language sql stable
set search_path = ''
as $$ select * from private.stripe_customer(p_organization_id) $$;

grant execute on function
  private.link_stripe_customer, private.stripe_customer, public.link_stripe_customer, public.stripe_customer
  to service_role;

-- Who is purged while Stripe still has their subscription would be charged for ever.
create function private.report_customer_left() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into private.outbox (kind, organization_id, payload)
  values (
    'billing.customer_left', old.organization_id,
    jsonb_build_object('customer_id', old.customer_id, 'livemode', old.livemode)
  );
  return null;
end
$$;

create trigger report_customer_left after delete on private.stripe_customers
  for each row when (not old.deleted)
  execute function private.report_customer_left();
