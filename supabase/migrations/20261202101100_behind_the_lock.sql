-- What held before the organization's lock is asked again behind it; nobody waits for, or holds, a stranger's lock.
set local lock_timeout = '5s';

-- As before; and whoever may no longer invite has not invited.
create or replace function private.open_invitation(p_token text) returns public.invitations
language plpgsql stable
set search_path = ''
as $$
declare
  invitation public.invitations;
begin
  select * into invitation from public.invitations
  where token_hash = private.token_hash(p_token)
    and expires_at > now()
    and email = private.verified_email()
    and private.member_may(organization_id, invited_by, 'members.manage')
    and private.user_reaches_role(invited_by, organization_id, role_key);
  if not found then
    raise exception using errcode = 'PT404', hint = 'invitation_not_found',
      message = 'This invitation is not open to you. Sign in with the invited e-mail address, or ask for a new one.';
  end if;
  return invitation;
end
$$;

-- As before, with the role locked before the first change.
create or replace function private.accept_invitation(p_token text) returns public.organizations
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  invitation public.invitations := private.open_invitation(p_token);
  organization public.organizations;
begin
  perform private.lock_organization(invitation.organization_id);
  -- Whoever comes second finds it gone.
  invitation := private.open_invitation(p_token);
  perform from public.roles
  where (scope_id, key) = (invitation.role_scope_id, invitation.role_key) for key share;
  delete from public.invitations where id = invitation.id;

  select * into organization from public.organizations where id = invitation.organization_id;
  if (select count(*) from public.memberships where organization_id = organization.id)
    >= private.seat_limit(organization.id)
  then
    raise exception using errcode = 'PT402', hint = 'limit_reached', detail = 'seats',
      message = 'The organization has no seat left. Ask its owner for one, then accept again.';
  end if;

  insert into public.memberships (organization_id, user_id, role_key)
  values (organization.id, auth.uid(), invitation.role_key);
  return organization;
exception
  when unique_violation then
    raise exception using errcode = '23505', hint = 'already_member',
      message = 'You are a member of this organization already.';
end
$$;

-- The organization, locked, if the caller has the permission in it and still has it when the lock is theirs.
create function private.lock_permitted(p_organization_id uuid, p_permission text) returns void
language plpgsql
set search_path = ''
as $$
begin
  perform private.require_permission(p_organization_id, p_permission);
  perform private.lock_organization(p_organization_id);
  perform private.require_permission(p_organization_id, p_permission);
end
$$;

create or replace function private.manageable_member(p_organization_id uuid, p_user_id uuid) returns public.memberships
language plpgsql
set search_path = ''
as $$
declare
  member public.memberships;
begin
  perform private.lock_permitted(p_organization_id, 'members.manage');
  select * into member from public.memberships
  where organization_id = p_organization_id and user_id = p_user_id
  for update;
  if not found then
    raise exception using errcode = 'PT404', hint = 'member_not_found',
      message = 'This person is not a member of the organization.';
  end if;
  if not private.reaches_role(member.organization_id, member.role_key) then
    raise exception using errcode = '42501', hint = 'member_above_own',
      message = 'This member''s role is above yours. Ask somebody with that role or an owner.';
  end if;
  return member;
end
$$;

create or replace function private.delete_role(p_organization_id uuid, p_key text, p_reassign_to text) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform private.lock_permitted(p_organization_id, 'roles.manage');
  perform from public.roles where organization_id = p_organization_id and key = p_key for update;
  if not found then
    raise exception using errcode = 'PT404', hint = 'role_not_found',
      message = 'There is no such role in this organization.';
  end if;
  if not private.reaches_role(p_organization_id, p_key) then
    raise exception using errcode = '42501', hint = 'role_above_own',
      message = 'This role is above yours. Ask somebody with that role or an owner.';
  end if;

  if p_reassign_to is not null then
    perform private.require_permission(p_organization_id, 'members.manage');
    perform private.require_assignable_role(p_organization_id, p_reassign_to);
    perform from public.invitations
    where organization_id = p_organization_id and role_key = p_key
    order by id
    for update;
    update public.memberships set role_key = p_reassign_to
    where organization_id = p_organization_id and role_key = p_key;
    update public.invitations set role_key = p_reassign_to
    where organization_id = p_organization_id and role_key = p_key;
  end if;
  delete from public.roles where organization_id = p_organization_id and key = p_key;
exception
  when foreign_key_violation then
    raise exception using errcode = 'PT409', hint = 'role_in_use',
      message = 'Members or invitations have this role. Say which role they get instead.';
end
$$;

create or replace function private.close_organization(p_organization_id uuid) returns public.organizations
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  organization public.organizations;
begin
  perform private.lock_permitted(p_organization_id, 'organizations.delete');
  update public.organizations set closed_at = now() where id = p_organization_id
  returning * into organization;
  update public.memberships set active = false where organization_id = p_organization_id;
  delete from public.ownership_offers where organization_id = p_organization_id;
  return organization;
end
$$;

create or replace function private.restore_organization(p_organization_id uuid) returns public.organizations
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  organization public.organizations;
begin
  perform private.lock_organization(id) from unnest(private.closed_orgs_owned()) as id where id = p_organization_id;
  if found then
    update public.organizations set closed_at = null
    where id = any (private.closed_orgs_owned()) and id = p_organization_id
      and closed_at > now() - interval '30 days'
    returning * into organization;
  end if;
  if not found then
    raise exception using errcode = 'PT404', hint = 'organization_not_found',
      message = 'There is no closed organization of yours with this id. After 30 days it is gone.';
  end if;
  update public.memberships set active = true where organization_id = p_organization_id;
  return organization;
end
$$;

-- As before, in an organization that is not closed.
create or replace function private.offer_ownership(p_organization_id uuid, p_user_id uuid) returns public.ownership_offers
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  offer public.ownership_offers;
begin
  perform private.lock_organization(organization_id) from public.memberships
  where organization_id = p_organization_id and user_id = auth.uid() and role_key = 'owner' and active;
  if not found or not exists (
    select from public.memberships
    where organization_id = p_organization_id and user_id = auth.uid() and role_key = 'owner' and active
  ) then
    raise exception using errcode = '42501', hint = 'not_permitted',
      message = 'Only an owner hands an organization over.';
  end if;
  if p_user_id = auth.uid() or not exists (
    select from public.memberships where organization_id = p_organization_id and user_id = p_user_id
  ) then
    raise exception using errcode = 'PT404', hint = 'member_not_found',
      message = 'Ownership can be offered to another member of the organization.';
  end if;

  insert into public.ownership_offers (organization_id, from_user_id, to_user_id)
  values (p_organization_id, auth.uid(), p_user_id)
  on conflict (organization_id) do update
    set from_user_id = excluded.from_user_id, to_user_id = excluded.to_user_id,
      expires_at = excluded.expires_at, created_at = excluded.created_at
  returning * into offer;
  return offer;
end
$$;

create or replace function private.withdraw_ownership_offer(p_organization_id uuid) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform private.lock_organization(organization_id) from public.ownership_offers
  where organization_id = p_organization_id and auth.uid() in (from_user_id, to_user_id);
  if found then
    delete from public.ownership_offers
    where organization_id = p_organization_id and auth.uid() in (from_user_id, to_user_id);
  end if;
  if not found then
    raise exception using errcode = 'PT404', hint = 'offer_not_found', message = 'There is no such offer.';
  end if;
end
$$;

create or replace function private.accept_ownership(p_organization_id uuid) returns public.memberships
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  offer public.ownership_offers;
  membership public.memberships;
begin
  perform private.lock_organization(organization_id) from public.ownership_offers
  where organization_id = p_organization_id and to_user_id = auth.uid();
  if found then
    delete from public.ownership_offers
    where organization_id = p_organization_id
      and to_user_id = auth.uid()
      and expires_at > now()
      and exists (
        select from public.memberships
        where organization_id = p_organization_id and user_id = from_user_id and role_key = 'owner'
      )
    returning * into offer;
  end if;
  if not found then
    raise exception using errcode = 'PT404', hint = 'offer_not_found',
      message = 'There is no open offer to you. Ask the owner for a new one.';
  end if;

  update public.memberships set role_key = 'owner'
  where organization_id = p_organization_id and user_id = offer.to_user_id
  returning * into membership;
  update public.memberships set role_key = 'admin'
  where organization_id = p_organization_id and user_id = offer.from_user_id;
  return membership;
end
$$;
