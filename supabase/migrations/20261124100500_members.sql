-- Changing a role, removing, leaving. Each takes the organization's lock first (member_rules).
set local lock_timeout = '5s';

-- The member, if the caller may touch somebody with their role.
create function private.manageable_member(p_organization_id uuid, p_user_id uuid) returns public.memberships
language plpgsql
set search_path = ''
as $$
declare
  member public.memberships;
begin
  perform private.require_permission(p_organization_id, 'members.manage');
  perform private.lock_organization(p_organization_id);
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

create function private.change_member_role(p_organization_id uuid, p_user_id uuid, p_role_key text)
returns public.memberships
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  member public.memberships := private.manageable_member(p_organization_id, p_user_id);
begin
  perform private.require_assignable_role(p_organization_id, p_role_key);
  update public.memberships set role_key = p_role_key
  where organization_id = member.organization_id and user_id = member.user_id
  returning * into member;
  return member;
end
$$;

create function private.remove_member(p_organization_id uuid, p_user_id uuid) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  member constant public.memberships := private.manageable_member(p_organization_id, p_user_id);
begin
  delete from public.memberships
  where organization_id = member.organization_id and user_id = member.user_id;
end
$$;

create function private.leave_organization(p_organization_id uuid) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (
    select from public.memberships where organization_id = p_organization_id and user_id = auth.uid()
  ) then
    perform private.lock_organization(p_organization_id);
    delete from public.memberships where organization_id = p_organization_id and user_id = auth.uid();
  else
    raise exception using errcode = 'PT404', hint = 'member_not_found',
      message = 'You are not a member of this organization.';
  end if;
end
$$;

create function public.change_member_role(p_organization_id uuid, p_user_id uuid, p_role_key text)
returns public.memberships
language sql
set search_path = ''
as $$ select * from private.change_member_role(p_organization_id, p_user_id, p_role_key) $$;
comment on function public.change_member_role is
  'Codes (hint): not_permitted, member_not_found, member_above_own, unknown_role, role_above_own, last_owner.';

create function public.remove_member(p_organization_id uuid, p_user_id uuid) returns void
language sql
set search_path = ''
as $$ select private.remove_member(p_organization_id, p_user_id) $$;
comment on function public.remove_member is
  'Codes (hint): not_permitted, member_not_found, member_above_own, last_owner.';

create function public.leave_organization(p_organization_id uuid) returns void
language sql
set search_path = ''
as $$ select private.leave_organization(p_organization_id) $$;
comment on function public.leave_organization is 'Codes (hint): member_not_found, last_owner.';

grant execute on function
  private.change_member_role, private.remove_member, private.leave_organization,
  public.change_member_role, public.remove_member, public.leave_organization
  to authenticated;
