-- Seats are what the plan grants. Where a plan is sold by the member, Stripe hears of members.
set local lock_timeout = '5s';

comment on column public.organizations.seat_limit is
  'Most members, set by an operator; null leaves it to the plan. The lower of the two holds.';

-- As before, with the plan's limit.
create or replace function private.accept_invitation(p_token text) returns public.organizations
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  invitation public.invitations := private.open_invitation(p_token);
  organization public.organizations;
begin
  perform private.lock_organization(invitation.organization_id);
  -- Whoever comes second finds it gone.
  invitation := private.open_invitation(p_token);
  delete from public.invitations where id = invitation.id;

  select * into organization from public.organizations where id = invitation.organization_id;
  if (select count(*) from public.memberships where organization_id = organization.id)
    >= private.seat_limit(organization.id)
  then
    raise exception using errcode = 'PT402', hint = 'limit_reached', detail = 'seats',
      message = 'The organization has no seat left. Ask its owner for one, then accept again.';
  end if;

  insert into public.memberships (organization_id, user_id, role_key)
  values (organization.id, auth.uid(), invitation.role_key);
  return organization;
exception
  when unique_violation then
    raise exception using errcode = '23505', hint = 'already_member',
      message = 'You are a member of this organization already.';
end
$$;

-- One open entry for an organization that nobody has claimed yet: who has claimed one has counted already.
create unique index outbox_seats on private.outbox (organization_id)
  where kind = 'billing.seats' and done_at is null and attempts = 0;

-- Held until the change is there to be counted: an entry that is locked is not claimed.
create function private.ask_for_seats(p_organization_ids uuid[]) returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into private.outbox as open (kind, organization_id)
  select 'billing.seats', subscription.organization_id
  from public.subscriptions as subscription
  join public.plans on plans.key = subscription.plan_key
  where subscription.organization_id = any (p_organization_ids) and subscription.is_current
    and plans.seat_billing = 'per_member'
  order by subscription.organization_id
  on conflict (organization_id) where kind = 'billing.seats' and done_at is null and attempts = 0
    do update set leased_until = least(open.leased_until, now());
end
$$;

-- Closing an organization changes nobody's seat: for 30 days it can come back.
create function private.report_changed_seats() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform private.ask_for_seats(array(select distinct organization_id from changed_members));
  return null;
end
$$;

-- Before the audit log's triggers, in the order of their names: its chain is the last of all locks.
create trigger a_seat_taken after insert on public.memberships
  referencing new table as changed_members
  for each statement execute function private.report_changed_seats();
create trigger a_seat_left after delete on public.memberships
  referencing old table as changed_members
  for each statement execute function private.report_changed_seats();

create function private.billing_seats(p_organization_id uuid)
returns table (
  customer_id text, livemode boolean, stripe_subscription_id text, stripe_item_id text, quantity integer,
  members integer
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
  select customer.customer_id, customer.livemode, item.stripe_subscription_id, item.stripe_item_id, item.quantity,
    (select count(*)::integer from public.memberships where memberships.organization_id = p_organization_id)
  from private.stripe_customers as customer
  join public.subscriptions as subscription using (organization_id)
  join public.subscription_items as item
    on item.organization_id = p_organization_id and item.stripe_subscription_id = subscription.stripe_subscription_id
  join public.plans on plans.key = item.plan_key
  where customer.organization_id = p_organization_id and not customer.deleted and subscription.is_current
    and plans.kind = 'plan' and plans.seat_billing = 'per_member' and not item.metered;
end
$$;

create function public.billing_seats(p_organization_id uuid)
returns table (
  customer_id text, livemode boolean, stripe_subscription_id text, stripe_item_id text, quantity integer,
  members integer
)
language sql stable
set search_path = ''
as $$ select * from private.billing_seats(p_organization_id) $$;
comment on function public.billing_seats is
  'Whose quantity at Stripe follows the members, with both numbers; no row where nothing does.';

grant execute on function private.billing_seats, public.billing_seats to service_role;
