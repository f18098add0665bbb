set local lock_timeout = '5s';

-- The account with its sessions and profile goes; memberships end; what was made stays, without a name.
create function private.delete_account() returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if auth.uid() is null then
    raise exception using errcode = '42501', hint = 'not_signed_in', message = 'Sign in first.';
  end if;
  -- The same order of locks as everywhere, and before the first change takes an audit chain.
  perform from public.organizations
  where created_by = auth.uid()
    or id in (select organization_id from public.memberships where user_id = auth.uid())
  order by id
  for no key update;
  perform from public.invitations where invited_by = auth.uid() order by id for update;
  perform from public.applications where created_by = auth.uid() order by id for no key update;
  delete from auth.users where id = auth.uid();
end
$$;

create function public.delete_account() returns void
language sql
set search_path = ''
as $$ select private.delete_account() $$;
comment on function public.delete_account is
  'Deletes the caller''s account. Codes (hint): not_signed_in, last_owner.';

grant execute on function private.delete_account, public.delete_account to authenticated;
