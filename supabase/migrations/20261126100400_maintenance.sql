-- What must happen in time: each a function of its own, idempotent, and safe beside itself.
set local lock_timeout = '5s';

create function private.purge_closed_organizations(p_limit integer default 10) returns integer
language plpgsql
set search_path = ''
as $$
declare
  closed uuid;
  purged integer := 0;
begin
  for closed in
    select id from public.organizations
    where closed_at <= now() - interval '30 days'
    order by id
    limit p_limit
    for update skip locked
  loop
    insert into private.outbox (kind, organization_id) values ('organization.purged', closed);
    delete from public.organizations where id = closed;
    purged := purged + 1;
  end loop;
  return purged;
end
$$;

create function private.delete_expired_invitations() returns integer
language sql
set search_path = ''
as $$
  with gone as (
    delete from public.invitations where id in (
      select id from public.invitations where expires_at <= now() - interval '30 days'
      order by organization_id, id for update skip locked
    ) returning 1
  ), offers as (
    delete from public.ownership_offers where organization_id in (
      select organization_id from public.ownership_offers where expires_at <= now()
      order by organization_id for update skip locked
    ) returning 1
  )
  select (select count(*) from gone)::integer + (select count(*) from offers)::integer
$$;

create function private.delete_done_outbox() returns integer
language sql
set search_path = ''
as $$
  with gone as (
    delete from private.outbox where id in (
      select id from private.outbox where done_at <= now() - interval '30 days' for update skip locked
    ) returning 1
  )
  select count(*)::integer from gone
$$;

-- One task's failure is the result of that task; the others still run. A run beside another does nothing.
create function private.run_maintenance() returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  task text;
  done integer;
  results jsonb := '{}';
begin
  if not pg_try_advisory_xact_lock(hashtextextended('nectar.maintenance', 0)) then
    return '{"skipped": "another run is under way"}';
  end if;
  foreach task in array array[
    'delete_expired_invitations', 'purge_closed_organizations', 'delete_done_outbox',
    -- last: what it locks, it holds until the end
    'create_audit_partitions'
  ] loop
    begin
      execute format('select private.%I()', task) into done;
      results := results || jsonb_build_object(task, done);
    exception when others then
      results := results || jsonb_build_object(task, 'failed: ' || sqlstate);
    end;
  end loop;
  return results;
end
$$;

create function public.run_maintenance() returns jsonb
language sql
set search_path = ''
as $$ select private.run_maintenance() $$;
comment on function public.run_maintenance is
  'Partitions ahead, expired invitations, purges. Every quarter of an hour, by pg_cron or functions/maintenance.';

grant execute on function private.run_maintenance, public.run_maintenance to service_role;

do $$
begin
  if exists (select from pg_available_extensions where name = 'pg_cron') then
    create extension if not exists pg_cron;
    perform cron.schedule('nectar-maintenance', '*/15 * * * *', 'select private.run_maintenance()');
  end if;
end
$$;
