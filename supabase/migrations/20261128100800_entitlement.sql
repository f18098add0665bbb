-- What an organization may have now: what was agreed on with it, else what its plan and add-ons grant, else the default.
set local lock_timeout = '5s';

create function private.entitlements(p_organization_id uuid, p_keys text[] default null)
returns table (key text, unit text, value bigint, overage boolean, source text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  billing record;
  -- also when there is none
  closed boolean;
begin
  select closed_at is not null into closed from public.organizations where id = p_organization_id;
  closed := coalesce(closed, true);
  select * into billing from private.billing_state(p_organization_id);

  return query
  select catalogue.key, catalogue.unit,
    case
      when closed then 0
      when agreed.key is not null then agreed.value
      when plan.value is null or added.without_limit then null
      else least(
        plan.value + added.value,
        case catalogue.unit when 'feature' then 1 else 9223372036854775807 end
      )::bigint
    end,
    not closed and agreed.key is null and coalesce(granted.overage, false),
    case
      when closed then 'closed'
      when agreed.key is not null then 'override'
      when added.without_limit or added.value > 0 then 'addon'
      when granted.key is not null or plan.by_quantity then 'plan'
      else 'default'
    end
  from public.entitlement_keys as catalogue
  left join public.entitlement_overrides as agreed
    on agreed.organization_id = p_organization_id and agreed.key = catalogue.key
    and coalesce(agreed.expires_at > now(), true)
  left join public.plan_limits as granted
    on granted.plan_key = coalesce(billing.plan_key, 'free') and granted.key = catalogue.key
  cross join lateral (
    select billing.plan_key is not null and billing.seat_billing = 'bought' and catalogue.key = 'seats'
  ) as sold (by_quantity)
  cross join lateral (
    select sold.by_quantity,
      case
        when sold.by_quantity then least(granted.value, billing.quantity)
        when granted.key is not null then granted.value
        else catalogue.default_value
      end
  ) as plan (by_quantity, value)
  cross join lateral (
    select coalesce(bool_or(addition.value is null), false), coalesce(sum(addition.value * item.quantity::numeric), 0)
    from public.subscription_items as item
    join public.plans as addon on addon.key = item.plan_key and addon.kind = 'addon'
    join public.plan_limits as addition on addition.plan_key = addon.key and addition.key = catalogue.key
    where billing.state in ('active', 'grace')
      and item.organization_id = p_organization_id
      and item.stripe_subscription_id = billing.stripe_subscription_id
      and item.quantity > 0
  ) as added (without_limit, value)
  where p_keys is null or catalogue.key = any (p_keys);
end
$$;
comment on function private.entitlements is 'All entitlements of an organization, or those asked for; a value of null is no limit.';

create function private.entitlement(p_organization_id uuid, p_key text) returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  granted record;
begin
  select * into granted from private.entitlements(p_organization_id, array[p_key]);
  if not found then
    raise exception 'There is no entitlement %.', p_key using errcode = '22023', hint = 'unknown_entitlement';
  end if;
  return granted.value;
end
$$;
comment on function private.entitlement is 'What the organization may have of it now; null is no limit.';

-- When the answers change though nobody changes anything.
create function private.entitlements_valid_until(p_organization_id uuid) returns timestamptz
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select least(
    (select changes_at from private.billing_state(p_organization_id)),
    (select min(expires_at) from public.entitlement_overrides
     where organization_id = p_organization_id and expires_at > now())
  )
$$;

grant execute on function private.entitlements, private.entitlement, private.entitlements_valid_until to service_role;

-- The definer asks for the permission itself, so that it tells nothing to whoever else may find it.
create function private.entitlements_for_members(p_organization_id uuid)
returns table (key text, unit text, value bigint, overage boolean, source text)
language plpgsql stable security definer rows 20
set search_path = pg_catalog, pg_temp
as $$
begin
  if auth.role() = 'service_role' or p_organization_id = any (private.orgs_with('organizations.read')) then
    return query select * from private.entitlements(p_organization_id);
  end if;
end
$$;
grant execute on function private.entitlements_for_members to authenticated, service_role;

create view public.organization_entitlements with (security_invoker = true) as
select organizations.id as organization_id, granted.key, granted.unit, granted.value, granted.overage, granted.source
from public.organizations, private.entitlements_for_members(organizations.id) as granted;
comment on view public.organization_entitlements is
  'What each of the caller''s organizations may have now, for every member; a value of null is no limit.';

revoke all on public.organization_entitlements from public, anon, authenticated, service_role;
grant select on public.organization_entitlements to authenticated, service_role;
