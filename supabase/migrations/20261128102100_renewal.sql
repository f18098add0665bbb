-- Nobody pays on for an organization that is closed: its subscription ends with its period, and goes on if it is restored.
set local lock_timeout = '5s';

create function private.ask_for_renewal() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into private.outbox (kind, organization_id)
  select 'billing.renewal', organization_id from private.stripe_customers
  where organization_id = new.id and not deleted;
  return null;
end
$$;

create trigger ask_for_renewal after update of closed_at on public.organizations
  for each row when ((old.closed_at is null) <> (new.closed_at is null))
  execute function private.ask_for_renewal();

-- Also when somebody paid on a page that was open before it was closed.
create function private.ask_for_renewal_of_late_purchase() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  insert into private.outbox (kind, organization_id)
  select 'billing.renewal', id from public.organizations where id = new.organization_id and closed_at is not null;
  return null;
end
$$;

create trigger ask_for_renewal after update of is_current on public.subscriptions
  for each row when (new.is_current and not new.cancel_at_period_end)
  execute function private.ask_for_renewal_of_late_purchase();

create function private.billing_renewal(p_organization_id uuid)
returns table (stripe_subscription_id text, livemode boolean, closed boolean)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select subscription.stripe_subscription_id, subscription.livemode, organization.closed_at is not null
  from public.subscriptions as subscription
  join public.organizations as organization on organization.id = subscription.organization_id
  where subscription.organization_id = p_organization_id and subscription.is_current
$$;

create function public.billing_renewal(p_organization_id uuid)
returns table (stripe_subscription_id text, livemode boolean, closed boolean)
language sql stable
set search_path = ''
as $$ select * from private.billing_renewal(p_organization_id) $$;
comment on function public.billing_renewal is 'The subscription of an organization, and whether it is to end because the organization is closed.';

grant execute on function private.billing_renewal, public.billing_renewal to service_role;
