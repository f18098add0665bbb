-- Whoever keeps what private.entitlements answered keeps the version with it, read before. While the version is the
-- same, so is the answer; a change raises it in its own transaction. Nobody has to be told to forget.
set local lock_timeout = '5s';

create table private.entitlement_versions (
  -- null: everybody's, raised when plans change
  organization_id uuid unique nulls not distinct references public.organizations (id) on delete cascade,
  version bigint not null default 1
);
alter table private.entitlement_versions enable row level security;

create function private.entitlement_version(p_organization_id uuid) returns bigint
language plpgsql stable
set search_path = ''
as $$
begin
  return coalesce((select version from private.entitlement_versions where organization_id = p_organization_id), 0)
    + coalesce((select version from private.entitlement_versions where organization_id is null), 0);
end
$$;

-- null: of all organizations
create function private.entitlements_changed(p_organization_ids uuid[]) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into private.entitlement_versions as present (organization_id)
  select changed.id
  from unnest(coalesce(p_organization_ids, array[null::uuid])) as changed (id)
  -- one that is being purged has no use for it
  where changed.id is null or exists (select from public.organizations where organizations.id = changed.id)
  order by changed.id
  on conflict (organization_id) do update set version = present.version + 1;
end
$$;

-- Triggers run with the rights of whoever writes: an override, or closes an organization.
grant execute on function private.entitlements_changed to service_role;

create function private.report_changed_entitlements() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if exists (select from changed) then
    perform private.entitlements_changed(array(select distinct organization_id from changed));
  end if;
  return null;
end
$$;

create function private.report_changed_plans() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  perform private.entitlements_changed(null);
  return null;
end
$$;

create function private.report_closed_organization() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  perform private.entitlements_changed(array[new.id]);
  return null;
end
$$;

do $$
declare
  watched text;
begin
  foreach watched in array array['subscriptions', 'subscription_items', 'entitlement_overrides'] loop
    execute format(
      'create trigger entitlements_insert after insert on public.%I referencing new table as changed
         for each statement execute function private.report_changed_entitlements()', watched);
    execute format(
      'create trigger entitlements_update after update on public.%I referencing new table as changed
         for each statement execute function private.report_changed_entitlements()', watched);
    execute format(
      'create trigger entitlements_delete after delete on public.%I referencing old table as changed
         for each statement execute function private.report_changed_entitlements()', watched);
  end loop;
  foreach watched in array array['plans', 'plan_limits', 'entitlement_keys'] loop
    execute format(
      'create trigger entitlements_changed after insert or update or delete on public.%I
         for each statement execute function private.report_changed_plans()', watched);
  end loop;
end
$$;

create trigger entitlements_closed after update of closed_at on public.organizations
  for each row when (old.closed_at is distinct from new.closed_at)
  execute function private.report_closed_organization();
