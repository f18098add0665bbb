-- What goes, and when: events and hours by month, keys once no event as old is taken any more, days never; and all that
-- belongs to an organization that was purged.
set local lock_timeout = '5s';

-- Thirteen months: a year, and the month to compare with.
create function private.drop_usage_partitions() returns integer
language sql
set search_path = ''
as $$
  select private.drop_month_partitions('public.usage_events', 13)
    + private.drop_month_partitions('public.usage_hours', 13)
$$;

-- A day longer than an event may be late and ahead of its time: until its key goes, it is a duplicate; from then on, too old.
create function private.delete_usage_keys(p_limit integer default 500000) returns integer
language sql
set search_path = ''
as $$
  with gone as (
    delete from private.usage_keys where ctid = any (array(
      select ctid from private.usage_keys
      where received_at < now() - interval '36 days 1 hour'
      limit p_limit for update skip locked
    )) returning 1
  )
  select count(*)::integer from gone
$$;

-- Organizations whose usage must still go: too many rows to delete together with the organization.
create table private.purged_usage (
  organization_id uuid primary key
);
alter table private.purged_usage enable row level security;

create function private.purge_usage() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into private.purged_usage select id from removed on conflict do nothing;
  return null;
end
$$;

create trigger purge_usage after delete on public.organizations
  referencing old table as removed
  for each statement execute function private.purge_usage();

create function private.delete_purged_usage(p_limit integer default 100000) returns integer
language plpgsql
set search_path = ''
as $$
declare
  purged uuid;
  place text;
  gone integer;
  deleted integer := 0;
begin
  for purged in select organization_id from private.purged_usage order by 1 for update skip locked loop
    -- In the order in which usage travels: what leaves one place meanwhile is met in the next.
    foreach place in array array[
      'private.request_log', 'private.usage_tail', 'public.usage_events', 'private.usage_keys', 'public.usage_hours',
      'public.usage_days', 'private.meter_hours', 'private.limit_alerts'
    ] loop
      execute format(
        'delete from %1$s where organization_id = $1 and (tableoid, ctid) in (
           select tableoid, ctid from %1$s where organization_id = $1 limit $2)', place
      ) using purged, p_limit - deleted;
      get diagnostics gone = row_count;
      deleted := deleted + gone;
      if deleted >= p_limit then
        return deleted;
      end if;
    end loop;
    delete from private.purged_usage where organization_id = purged;
  end loop;
  return deleted;
end
$$;

insert into private.maintenance_tasks (name, position) values
  ('delete_usage_keys', 100), ('delete_purged_usage', 110), ('drop_usage_partitions', 910);
