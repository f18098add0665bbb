-- A run of maintenance is one statement, with a platform's timeout: an organization that is too large for it is purged in
-- several. Before, it took everybody's maintenance down with it, at every run.
set local lock_timeout = '5s';

drop function private.purge_closed_organizations(integer);

-- At most so many organizations, and so many rows of those tables that have no bound.
create function private.purge_closed_organizations(p_limit integer default 10, p_rows integer default 5000)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  closed uuid;
  place text;
  gone integer;
  deleted integer := 0;
  purged integer := 0;
begin
  for closed in
    select id from public.organizations
    where closed_at <= now() - interval '30 days'
    order by id
    limit p_limit
    for update skip locked
  loop
    foreach place in array array['public.api_keys', 'public.applications'] loop
      execute format(
        'delete from %1$s where id in (select id from %1$s where organization_id = $1 limit $2)', place
      ) using closed, p_rows - deleted;
      get diagnostics gone = row_count;
      deleted := deleted + gone;
      if deleted >= p_rows then
        return purged;
      end if;
    end loop;
    insert into private.outbox (kind, organization_id) values ('organization.purged', closed);
    delete from public.organizations where id = closed;
    purged := purged + 1;
  end loop;
  return purged;
end
$$;
