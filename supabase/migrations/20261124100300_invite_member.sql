set local lock_timeout = '5s';

create function private.new_token() returns text
language sql volatile
set search_path = ''
as $$
  select translate(
    encode(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), 'base64'), '+/=', '-_'
  )
$$;

create function private.token_hash(p_token text) returns bytea
language sql immutable
set search_path = ''
as $$
  select sha256(convert_to(p_token, 'UTF8'))
$$;

create function private.invite_member(p_organization_id uuid, p_email text, p_role_key text)
returns table (invitation_id uuid, token text, expires_at timestamptz)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  most_open constant integer := 200;
  given_email constant text := lower(btrim(p_email));
begin
  perform private.require_permission(p_organization_id, 'members.manage');
  perform private.require_assignable_role(p_organization_id, p_role_key);
  perform private.lock_organization(p_organization_id);

  if exists (
    select from public.memberships
    join public.users on users.id = memberships.user_id
    where memberships.organization_id = p_organization_id and lower(users.email) = given_email
  ) then
    raise exception using errcode = '23505', hint = 'already_member',
      message = 'This person is a member already. Change their role instead.';
  end if;

  delete from public.invitations
  where organization_id = p_organization_id and email = given_email and invitations.expires_at <= now();

  if (select count(*) from public.invitations where organization_id = p_organization_id) >= most_open then
    raise exception using errcode = 'PT429', hint = 'too_many_invitations',
      message = format('An organization has at most %s open invitations. Revoke some first.', most_open);
  end if;

  token := private.new_token();
  insert into public.invitations (organization_id, email, role_key, token_hash, invited_by)
  values (p_organization_id, given_email, p_role_key, private.token_hash(token), auth.uid())
  returning invitations.id, invitations.expires_at into invitation_id, expires_at;
  return next;
exception
  when unique_violation then
    if sqlerrm ~ 'already_invited' then
      raise exception using errcode = '23505', hint = 'already_invited',
        message = 'This person is invited already. Send the invitation again instead.';
    end if;
    raise;
  when check_violation or not_null_violation then
    raise exception using errcode = '23514', hint = 'invalid_email', message = 'This is not an e-mail address.';
end
$$;

-- A new token and a new week; the old token dies.
create function private.resend_invitation(p_invitation_id uuid)
returns table (invitation_id uuid, token text, expires_at timestamptz)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  invitation constant public.invitations := private.manageable_invitation(p_invitation_id);
begin
  perform private.require_assignable_role(invitation.organization_id, invitation.role_key);
  token := private.new_token();
  update public.invitations
  set token_hash = private.token_hash(token), expires_at = now() + interval '7 days', invited_by = auth.uid()
  where id = invitation.id
  returning invitations.id, invitations.expires_at into invitation_id, expires_at;
  return next;
end
$$;

create function private.revoke_invitation(p_invitation_id uuid) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  invitation constant public.invitations := private.manageable_invitation(p_invitation_id);
begin
  delete from public.invitations where id = invitation.id;
end
$$;

-- The invitation, locked behind its organization, if the caller may manage it. Unknown and foreign ones are
-- refused alike.
create function private.manageable_invitation(p_invitation_id uuid) returns public.invitations
language plpgsql
set search_path = ''
as $$
declare
  found_invitation public.invitations;
begin
  perform private.lock_organization(organization_id) from public.invitations
  where id = p_invitation_id and organization_id = any (private.orgs_with('members.manage'));
  select * into found_invitation from public.invitations
  where id = p_invitation_id and organization_id = any (private.orgs_with('members.manage'))
  for update;
  if not found then
    raise exception using errcode = 'PT404', hint = 'invitation_not_found',
      message = 'There is no such invitation. It may have been accepted, declined or revoked.';
  end if;
  return found_invitation;
end
$$;

create function public.invite_member(p_organization_id uuid, p_email text, p_role_key text)
returns table (invitation_id uuid, token text, expires_at timestamptz)
language sql
set search_path = ''
as $$ select * from private.invite_member(p_organization_id, p_email, p_role_key) $$;
comment on function public.invite_member is
  'Invites by e-mail and role; the token is shown this once. Codes (hint): not_permitted, unknown_role, role_above_own, invalid_email, already_member, already_invited, too_many_invitations.';

create function public.resend_invitation(p_invitation_id uuid)
returns table (invitation_id uuid, token text, expires_at timestamptz)
language sql
set search_path = ''
as $$ select * from private.resend_invitation(p_invitation_id) $$;
comment on function public.resend_invitation is
  'A new token and a new week; the old token dies. Codes (hint): invitation_not_found, role_above_own.';

create function public.revoke_invitation(p_invitation_id uuid) returns void
language sql
set search_path = ''
as $$ select private.revoke_invitation(p_invitation_id) $$;
comment on function public.revoke_invitation is 'Takes an invitation back. Codes (hint): invitation_not_found.';

grant execute on function
  private.invite_member, private.resend_invitation, private.revoke_invitation,
  public.invite_member, public.resend_invitation, public.revoke_invitation
  to authenticated;
