set local lock_timeout = '5s';

create function private.create_organization(p_name text, p_slug text) returns public.organizations
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  caller constant uuid := auth.uid();
  created public.organizations;
  refused text;
begin
  if caller is null or not exists (select from public.users where id = caller) then
    raise exception using errcode = '42501', hint = 'not_signed_in',
      message = 'Sign in to create an organization.';
  end if;

  insert into public.organizations (name, slug, created_by)
  values (btrim(p_name), lower(btrim(p_slug)), caller)
  returning * into created;

  insert into public.memberships (organization_id, user_id, role_key)
  values (created.id, caller, 'owner');

  return created;
exception
  when unique_violation or check_violation or not_null_violation then
    get stacked diagnostics refused = constraint_name;
    raise exception using
      errcode = sqlstate,
      hint = case when sqlstate = '23502' then 'missing_value' else refused end,
      message = case refused
        when 'slug_taken' then 'This slug is taken. Choose another.'
        when 'slug_reserved' then 'This slug is reserved. Choose another.'
        when 'invalid_slug' then 'A slug has 3 to 48 letters a-z, digits and single hyphens between them.'
        when 'invalid_organization_name' then 'A name has 1 to 100 visible characters, without < and >.'
        else 'An organization needs a name and a slug.'
      end;
end
$$;

-- The door in the API. The work is done by the definer function behind it.
create function public.create_organization(p_name text, p_slug text) returns public.organizations
language sql
set search_path = ''
as $$
  select * from private.create_organization(p_name, p_slug)
$$;
comment on function public.create_organization is
  'Creates an organization and makes the caller its owner. Codes (hint): not_signed_in, missing_value, invalid_organization_name, invalid_slug, slug_reserved, slug_taken.';

grant execute on function private.create_organization to authenticated;
grant execute on function public.create_organization to authenticated;
