-- What the decision on a request reads of billing, with nothing bought: billing's own migrations take this file's place.
set local lock_timeout = '5s';

create table private.entitlement_versions (
  organization_id uuid,
  version bigint not null,
  unique nulls not distinct (organization_id)
);
alter table private.entitlement_versions enable row level security;

create function private.entitlements_changed(p_organization_ids uuid[]) returns void
language sql
set search_path = ''
as $$
  insert into private.entitlement_versions as known (organization_id, version)
  select distinct organization_id, 1 from unnest(coalesce(p_organization_ids, array[null::uuid])) as organization_id
  on conflict (organization_id) do update set version = known.version + 1
$$;

create function private.entitlements(p_organization_id uuid, p_keys text[] default null)
returns table (key text, unit text, value bigint, overage boolean, source text)
language sql stable
set search_path = ''
as $$
  select key, unit, default_value, false, 'default' from public.entitlement_keys
  where p_keys is null or key = any (p_keys)
$$;

create function private.entitlements_valid_until(p_organization_id uuid) returns timestamptz
language sql stable
set search_path = ''
as $$ select timestamptz 'infinity' $$;

create function private.subscription_state(p_organization_id uuid) returns text
language sql stable
set search_path = ''
as $$ select 'none' $$;

create function public.stripe_customer(p_organization_id uuid)
returns table (customer_id text, livemode boolean)
language sql stable
set search_path = ''
as $$ select null::text, null::boolean where false $$;
grant execute on function public.stripe_customer to service_role;
