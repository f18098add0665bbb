-- An organization always has an owner, whoever removes, demotes, leaves or deletes an account.
set local lock_timeout = '5s';

-- Removals of owners from one organization take turns on its row, in the order of ids; each then sees what
-- the one before left behind. When the organization itself is being deleted there is nothing to keep.
create function private.keep_an_owner() returns trigger
language plpgsql security definer
set search_path = ''
as $$
declare
  ownerless uuid;
begin
  perform from public.organizations
  where id in (select former.organization_id from former where former.role_key = 'owner')
  order by id
  for no key update;

  select organization.id into ownerless
  from public.organizations as organization
  where organization.id in (select former.organization_id from former where former.role_key = 'owner')
    and not exists (
      select from public.memberships
      where organization_id = organization.id and role_key = 'owner'
    )
  limit 1;

  if ownerless is not null then
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
