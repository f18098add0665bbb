-- What the document store knows of a database goes when its connection goes.
set local lock_timeout = '5s';

create function private.report_deleted_connection() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  -- With its organization everything goes, and is told of already.
  insert into private.outbox (kind, organization_id, payload)
  select 'connection.deleted', old.organization_id, jsonb_build_object('connection_id', old.id)
  where exists (select from public.organizations where id = old.organization_id);
  return null;
end
$$;

create trigger report_deleted after delete on public.database_connections
  for each row execute function private.report_deleted_connection();
