-- An organization always has an owner, whoever removes, demotes, leaves or deletes an account.
set local lock_timeout = '5s';

-- Whoever removes an owner holds on to one that stays; one that is leaving too (locked) does not count. Removals
-- from one organization take turns, or two owners who leave together would both be refused. They wait for each
-- other and for nothing else: a lock on the organization's row would be held by its deletion, which waits for
-- their memberships. When the organization itself goes, there is nothing to keep.
create function private.keep_an_owner() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('owners of ' || affected.id, 0))
  from (
    select distinct organization_id as id from former where role_key = 'owner' order by organization_id
  ) as affected;

  if exists (
    select from public.organizations as organization
    where organization.id in (select former.organization_id from former where former.role_key = 'owner')
      -- The lock fails where an older snapshot shows an owner who has gone.
      and not exists (
        select from public.memberships
        where organization_id = organization.id and role_key = 'owner'
        for share skip locked
      )
  ) then
    raise exception using errcode = '23514', hint = 'last_owner',
      message = 'An organization needs an owner. Make another member owner first, or delete the organization.';
  end if;
  return null;
end
$$;

create trigger keep_an_owner_on_update after update on public.memberships
  referencing old table as former
  for each statement execute function private.keep_an_owner();

create trigger keep_an_owner_on_delete after delete on public.memberships
  referencing old table as former
  for each statement execute function private.keep_an_owner();
