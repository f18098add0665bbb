set local lock_timeout = '5s';

-- Oneself, and everybody in the organizations whose members one may see.
create function private.visible_users() returns uuid[]
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return array(
    select user_id from public.memberships
    where organization_id = any (private.orgs_with('members.read'))
    union
    select auth.uid() where auth.uid() is not null
  );
end
$$;

grant execute on function private.visible_users to authenticated;
