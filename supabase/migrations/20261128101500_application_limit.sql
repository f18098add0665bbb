set local lock_timeout = '5s';

-- Counted behind the organization's lock, so that two who create at the same moment do not both find room. What
-- is there already stays, also when the limit falls below it.
create function private.limit_applications() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  organization uuid;
  granted bigint;
begin
  for organization in select distinct organization_id from added order by organization_id loop
    perform private.lock_organization(organization);
    granted := private.entitlement(organization, 'applications');
    if (select count(*) from public.applications where organization_id = organization) > granted then
      raise exception using errcode = 'PT402', hint = 'limit_reached', detail = 'applications',
        message = format(
          'The plan grants this organization %s applications. Delete one, or choose a larger plan.', granted
        );
    end if;
  end loop;
  return null;
end
$$;

-- For requests: without claims it is an operator in SQL, or an import of what is there already. Before the audit
-- log's triggers, in the order of their names: its chain is the last of all locks.
create trigger a_limit after insert on public.applications
  referencing new table as added
  for each statement when (auth.role() is not null)
  execute function private.limit_applications();
