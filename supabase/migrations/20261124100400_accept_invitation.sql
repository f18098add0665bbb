set local lock_timeout = '5s';

-- The caller's address, once they have proven that it is theirs.
create function private.verified_email() returns text
language sql stable
set search_path = ''
as $$
  select lower(email) from auth.users where id = auth.uid() and email_confirmed_at is not null
$$;

-- An open invitation for the caller. A token that is unknown, expired, spent, for somebody else, or from
-- somebody who could no longer give that role, is answered alike.
create function private.open_invitation(p_token text) returns public.invitations
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
    and private.user_reaches_role(invited_by, organization_id, role_key);
  if not found then
    raise exception using errcode = 'PT404', hint = 'invitation_not_found',
      message = 'This invitation is not open to you. Sign in with the invited e-mail address, or ask for a new one.';
  end if;
  return invitation;
end
$$;

create function private.preview_invitation(p_token text)
returns table (
  organization_name text, organization_slug text, role_key text, role_name text, invited_by text,
  expires_at timestamptz
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  invitation constant public.invitations := private.open_invitation(p_token);
begin
  return query
    select organizations.name, organizations.slug, roles.key, roles.name, coalesce(users.name, users.email),
      invitation.expires_at
    from public.organizations, public.roles, public.users
    where organizations.id = invitation.organization_id
      and (roles.scope_id, roles.key) = (invitation.role_scope_id, invitation.role_key)
      and users.id = invitation.invited_by;
end
$$;

create function private.accept_invitation(p_token text) returns public.organizations
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
  delete from public.invitations where id = invitation.id;

  select * into organization from public.organizations where id = invitation.organization_id;
  if (select count(*) from public.memberships where organization_id = organization.id) >= organization.seat_limit then
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

create function private.decline_invitation(p_token text) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  invitation public.invitations := private.open_invitation(p_token);
begin
  perform private.lock_organization(invitation.organization_id);
  invitation := private.open_invitation(p_token);
  delete from public.invitations where id = invitation.id;
end
$$;

create function public.preview_invitation(p_token text)
returns table (
  organization_name text, organization_slug text, role_key text, role_name text, invited_by text,
  expires_at timestamptz
)
language sql stable
set search_path = ''
as $$ select * from private.preview_invitation(p_token) $$;
comment on function public.preview_invitation is
  'What the caller is invited to, before they decide. Codes (hint): invitation_not_found.';

create function public.accept_invitation(p_token text) returns public.organizations
language sql
set search_path = ''
as $$ select * from private.accept_invitation(p_token) $$;
comment on function public.accept_invitation is
  'Joins the organization; the token is spent. Codes (hint): invitation_not_found, limit_reached, already_member.';

create function public.decline_invitation(p_token text) returns void
language sql
set search_path = ''
as $$ select private.decline_invitation(p_token) $$;
comment on function public.decline_invitation is 'Declines; the token is spent. Codes (hint): invitation_not_found.';

grant execute on function
  private.preview_invitation, private.accept_invitation, private.decline_invitation,
  public.preview_invitation, public.accept_invitation, public.decline_invitation
  to authenticated;
