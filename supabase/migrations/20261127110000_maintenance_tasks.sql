-- The list of what must happen in time is a table: each migration adds its own task.
set local lock_timeout = '5s';

create table private.maintenance_tasks (
  -- a function in private, without arguments, returning how many it dealt with as an integer
  name text primary key,
  -- tasks that hold locks others wait for come last
  position smallint not null default 100
);
alter table private.maintenance_tasks enable row level security;

insert into private.maintenance_tasks (name, position) values
  ('delete_expired_invitations', 100),
  ('purge_closed_organizations', 100),
  ('delete_done_outbox', 100),
  ('create_audit_partitions', 900);

create or replace function private.run_maintenance() returns jsonb
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
  for task in select name from private.maintenance_tasks order by position, name loop
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
