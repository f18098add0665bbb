-- For functions that prepare something before the database is asked to write.
set local lock_timeout = '5s';

create function public.has_permission(p_organization_id uuid, p_permission text) returns boolean
language sql stable
set search_path = ''
as $$ select coalesce(p_organization_id = any (private.orgs_with(p_permission)), false) $$;
comment on function public.has_permission is 'Whether the caller has the permission in the organization, at this moment.';

grant execute on function public.has_permission to authenticated;
