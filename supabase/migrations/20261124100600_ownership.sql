-- Handing an organization over: offered by an owner to a member, and done when that member accepts.
set local lock_timeout = '5s';

create table public.ownership_offers (
  organization_id uuid primary key references public.organizations (id) on delete cascade,
  from_user_id uuid not null,
  to_user_id uuid not null,
  expires_at timestamptz not null default now() + interval '7 days',
  created_at timestamptz not null default now(),
  constraint offer_to_oneself check (from_user_id <> to_user_id),
  -- Whoever leaves takes the offer along.
  foreign key (organization_id, from_user_id)
    references public.memberships (organization_id, user_id) on delete cascade,
  foreign key (organization_id, to_user_id)
    references public.memberships (organization_id, user_id) on delete cascade
);
comment on table public.ownership_offers is 'Ownership offered to a member, until they accept or decline.';

create index ownership_offers_from on public.ownership_offers (organization_id, from_user_id);
create index ownership_offers_to on public.ownership_offers (organization_id, to_user_id);

alter table public.ownership_offers enable row level security;
revoke all on public.ownership_offers from public, anon, authenticated, service_role;
grant select on public.ownership_offers to authenticated;
grant select, delete on public.ownership_offers to service_role;

create policy "members read ownership offers" on public.ownership_offers
  as permissive for select to authenticated
  using (organization_id = any ((select private.orgs_with('members.read'))::uuid[]));

create function private.offer_ownership(p_organization_id uuid, p_user_id uuid) returns public.ownership_offers
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  offer public.ownership_offers;
begin
  perform private.lock_organization(p_organization_id);
  if not exists (
    select from public.memberships
    where organization_id = p_organization_id and user_id = auth.uid() and role_key = 'owner'
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

-- By whoever made the offer, or received it.
create function private.withdraw_ownership_offer(p_organization_id uuid) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform private.lock_organization(p_organization_id);
  delete from public.ownership_offers
  where organization_id = p_organization_id and auth.uid() in (from_user_id, to_user_id);
  if not found then
    raise exception using errcode = 'PT404', hint = 'offer_not_found', message = 'There is no such offer.';
  end if;
end
$$;

-- The new owner takes over and the old one becomes an administrator, in one transaction.
create function private.accept_ownership(p_organization_id uuid) returns public.memberships
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  offer public.ownership_offers;
  membership public.memberships;
begin
  perform private.lock_organization(p_organization_id);
  delete from public.ownership_offers
  where organization_id = p_organization_id
    and to_user_id = auth.uid()
    and expires_at > now()
    and exists (
      select from public.memberships
      where organization_id = p_organization_id and user_id = from_user_id and role_key = 'owner'
    )
  returning * into offer;
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

create function public.offer_ownership(p_organization_id uuid, p_user_id uuid) returns public.ownership_offers
language sql
set search_path = ''
as $$ select * from private.offer_ownership(p_organization_id, p_user_id) $$;
comment on function public.offer_ownership is
  'Replaces an earlier offer. Codes (hint): not_permitted, member_not_found.';

create function public.withdraw_ownership_offer(p_organization_id uuid) returns void
language sql
set search_path = ''
as $$ select private.withdraw_ownership_offer(p_organization_id) $$;
comment on function public.withdraw_ownership_offer is 'Withdraws or declines. Codes (hint): offer_not_found.';

create function public.accept_ownership(p_organization_id uuid) returns public.memberships
language sql
set search_path = ''
as $$ select * from private.accept_ownership(p_organization_id) $$;
comment on function public.accept_ownership is
  'The caller becomes owner, who offered it an administrator. Codes (hint): offer_not_found.';

grant execute on function
  private.offer_ownership, private.withdraw_ownership_offer, private.accept_ownership,
  public.offer_ownership, public.withdraw_ownership_offer, public.accept_ownership
  to authenticated;
