set local lock_timeout = '5s';

-- Nobody gives a key what they may not do themselves, and nobody gets hold of one that may do more.
create function private.require_scopes(p_organization_id uuid, p_scopes text[]) returns void
language plpgsql stable
set search_path = ''
as $$
declare
  beyond text;
begin
  select scope into beyond from unnest(p_scopes) as scope
  where scope is null or not p_organization_id = any (private.orgs_with(scope))
  limit 1;
  if found then
    raise exception using errcode = '42501', hint = 'scope_above_own',
      message = format('You cannot give the scope %s: you do not have this permission yourself.', coalesce(beyond, 'null'));
  end if;
end
$$;

-- The key, locked behind its organization, if the caller may manage it. Unknown and foreign ones are refused alike.
create function private.manageable_api_key(p_api_key_id uuid) returns public.api_keys
language plpgsql
set search_path = ''
as $$
declare
  key public.api_keys;
begin
  perform private.lock_organization(organization_id) from public.api_keys
  where id = p_api_key_id and organization_id = any (private.orgs_with('api_keys.manage'));
  select * into key from public.api_keys
  where id = p_api_key_id and organization_id = any (private.orgs_with('api_keys.manage'))
  for no key update;
  if not found then
    raise exception using errcode = 'PT404', hint = 'api_key_not_found', message = 'There is no such API key.';
  elsif key.revoked_at is not null then
    raise exception using errcode = 'PT409', hint = 'api_key_revoked',
      message = 'This API key is revoked, and stays so. Create another.';
  end if;
  return key;
end
$$;

create function private.require_future(p_time timestamptz) returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_time <= now() then
    raise exception using errcode = '22023', hint = 'invalid_expiry', message = 'An API key expires in the future, or not at all.';
  end if;
end
$$;

-- As texts they come, so that what is none gets an answer of ours.
create function private.to_cidrs(p_texts text[]) returns cidr[]
language plpgsql immutable strict
set search_path = ''
as $$
declare
  wrong text;
begin
  select coalesce(left(range, 50), 'null') into wrong from unnest(p_texts) as range
  where range is null or not pg_input_is_valid(range, 'cidr')
  limit 1;
  if found then
    raise exception using errcode = '22023', hint = 'invalid_cidrs',
      message = format('%s is no range of addresses. One is like 203.0.113.0/24 or 2001:db8::/32, with zeros after its prefix.', wrong);
  end if;
  return p_texts::cidr[];
end
$$;

create function private.create_api_key(
  p_application_id uuid, p_name text, p_scopes text[], p_environment text, p_expires_at timestamptz,
  p_workflow_ids uuid[], p_allowed_cidrs text[], p_allowed_origins text[]
) returns table (api_key_id uuid, secret text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  organization uuid;
  most_keys bigint;
begin
  select organization_id into organization from public.applications
  where id = p_application_id and organization_id = any (private.orgs_with('api_keys.manage'));
  if not found then
    raise exception using errcode = 'PT404', hint = 'application_not_found',
      message = 'There is no such application in which you may manage API keys.';
  end if;
  perform private.lock_organization(organization);
  -- Once more: what held before the lock need not hold behind it.
  perform private.require_permission(organization, 'api_keys.manage');
  perform private.require_scopes(organization, p_scopes);
  perform private.require_future(p_expires_at);

  most_keys := private.entitlement(organization, 'api_keys');
  if (
    select count(*) from public.api_keys
    where organization_id = organization and revoked_at is null and (expires_at is null or expires_at > now())
  ) >= most_keys then
    raise exception using errcode = 'PT402', hint = 'limit_reached', detail = 'api_keys',
      message = format('Your plan has %s API keys. Revoke one, or choose a larger plan.', most_keys);
  end if;

  secret := private.new_api_key(p_environment);
  insert into public.api_keys (
    organization_id, application_id, name, environment, scopes, workflow_ids, allowed_cidrs, allowed_origins,
    prefix, last_four, expires_at, created_by, granted_by
  )
  values (
    organization, p_application_id, p_name, p_environment, array(select distinct unnest(p_scopes) order by 1),
    coalesce(p_workflow_ids, '{}'), coalesce(private.to_cidrs(p_allowed_cidrs), '{}'), coalesce(p_allowed_origins, '{}'),
    left(secret, 12), right(secret, 4), p_expires_at, auth.uid(), auth.uid()
  )
  returning id into api_key_id;
  insert into private.api_key_counters (key_id, ends_at) values (api_key_id, coalesce(p_expires_at, 'infinity'));
  insert into private.api_key_secrets (hash, key_id) values (private.token_hash(secret), api_key_id);
  return next;
end
$$;

-- A new secret from now on. The one before is good for p_overlap longer, those before it no more.
create function private.rotate_api_key(p_api_key_id uuid, p_overlap interval)
returns table (api_key_id uuid, secret text, previous_valid_until timestamptz)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  key constant public.api_keys := private.manageable_api_key(p_api_key_id);
  at_time constant timestamptz := clock_timestamp();
begin
  if p_overlap is null or at_time + p_overlap not between at_time and at_time + interval '7 days' then
    raise exception using errcode = '22023', hint = 'invalid_overlap', message = 'An overlap is between nothing and 7 days.';
  end if;
  -- Whoever rotates holds the secret: they must be able to do all that it can.
  perform private.require_scopes(key.organization_id, key.scopes);

  delete from private.api_key_secrets where key_id = key.id and valid_until <> 'infinity';
  previous_valid_until := at_time + p_overlap;
  update private.api_key_secrets set valid_until = previous_valid_until where key_id = key.id;
  api_key_id := key.id;
  secret := private.new_api_key(key.environment);
  insert into private.api_key_secrets (hash, key_id) values (private.token_hash(secret), key.id);
  update public.api_keys set prefix = left(secret, 12), last_four = right(secret, 4) where id = key.id;
  return next;
end
$$;

create function private.revoke_api_key(p_api_key_id uuid) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  key constant public.api_keys := private.manageable_api_key(p_api_key_id);
begin
  -- Waits for decisions under way: once this has returned, none comes any more.
  update private.api_key_counters set ends_at = '-infinity' where key_id = key.id;
  update public.api_keys set revoked_at = now() where id = key.id;
end
$$;

-- What is null stays as it is.
create function private.update_api_key(
  p_api_key_id uuid, p_name text, p_scopes text[], p_expires_at timestamptz, p_workflow_ids uuid[],
  p_allowed_cidrs text[], p_allowed_origins text[]
) returns public.api_keys
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  key public.api_keys := private.manageable_api_key(p_api_key_id);
begin
  perform private.require_future(p_expires_at);
  -- Whoever opens a key to other addresses opens all that it can do to them.
  if p_allowed_cidrs is not null or p_allowed_origins is not null then
    perform private.require_scopes(key.organization_id, key.scopes);
  end if;
  if not p_scopes <@ key.scopes
    or p_expires_at > key.expires_at
    or (key.workflow_ids <> '{}' and (p_workflow_ids = '{}' or not p_workflow_ids <@ key.workflow_ids))
  then
    raise exception using errcode = '42501', hint = 'api_key_widened',
      message = 'An API key can lose scopes, workflows and time, and gain none. Create another.';
  end if;
  if p_expires_at is not null then
    update private.api_key_counters set ends_at = p_expires_at where key_id = key.id;
  end if;
  update public.api_keys
  set name = coalesce(p_name, name),
    scopes = case
      when p_scopes is null then scopes
      else array(select distinct scope from unnest(p_scopes) as scope order by 1)
    end,
    expires_at = coalesce(p_expires_at, expires_at),
    workflow_ids = coalesce(p_workflow_ids, workflow_ids),
    allowed_cidrs = coalesce(private.to_cidrs(p_allowed_cidrs), allowed_cidrs),
    allowed_origins = coalesce(p_allowed_origins, allowed_origins)
  where id = key.id
  returning * into key;
  return key;
end
$$;

-- The caller answers for the key from now on, in place of a member who left or may do less.
create function private.adopt_api_key(p_api_key_id uuid) returns public.api_keys
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  key public.api_keys := private.manageable_api_key(p_api_key_id);
begin
  perform private.require_scopes(key.organization_id, key.scopes);
  update public.api_keys set granted_by = auth.uid() where id = key.id returning * into key;
  return key;
end
$$;

create function public.create_api_key(
  p_application_id uuid, p_name text, p_scopes text[], p_environment text default 'live',
  p_expires_at timestamptz default null, p_workflow_ids uuid[] default '{}', p_allowed_cidrs text[] default '{}',
  p_allowed_origins text[] default '{}'
) returns table (api_key_id uuid, secret text)
language sql
set search_path = ''
as $$
  select * from private.create_api_key(
    p_application_id, p_name, p_scopes, p_environment, p_expires_at, p_workflow_ids, p_allowed_cidrs, p_allowed_origins
  )
$$;
comment on function public.create_api_key is
  'A new key; its secret is shown this once. Codes (hint): application_not_found, not_permitted, scope_above_own, invalid_expiry, invalid_cidrs, limit_reached.';

create function public.rotate_api_key(p_api_key_id uuid, p_overlap interval default '1 day')
returns table (api_key_id uuid, secret text, previous_valid_until timestamptz)
language sql
set search_path = ''
as $$ select * from private.rotate_api_key(p_api_key_id, p_overlap) $$;
comment on function public.rotate_api_key is
  'A new secret, shown this once; the old one is good for p_overlap (at most 7 days) longer. Codes (hint): api_key_not_found, api_key_revoked, scope_above_own, invalid_overlap.';

create function public.revoke_api_key(p_api_key_id uuid) returns void
language sql
set search_path = ''
as $$ select private.revoke_api_key(p_api_key_id) $$;
comment on function public.revoke_api_key is
  'Ends a key for good, from the next request on. Codes (hint): api_key_not_found, api_key_revoked.';

create function public.update_api_key(
  p_api_key_id uuid, p_name text default null, p_scopes text[] default null, p_expires_at timestamptz default null,
  p_workflow_ids uuid[] default null, p_allowed_cidrs text[] default null, p_allowed_origins text[] default null
) returns public.api_keys
language sql
set search_path = ''
as $$
  select * from private.update_api_key(
    p_api_key_id, p_name, p_scopes, p_expires_at, p_workflow_ids, p_allowed_cidrs, p_allowed_origins
  )
$$;
comment on function public.update_api_key is
  'Renames, narrows, or shortens; null leaves as it is. Codes (hint): api_key_not_found, api_key_revoked, api_key_widened, scope_above_own, invalid_expiry, invalid_cidrs.';

create function public.adopt_api_key(p_api_key_id uuid) returns public.api_keys
language sql
set search_path = ''
as $$ select * from private.adopt_api_key(p_api_key_id) $$;
comment on function public.adopt_api_key is
  'The caller answers for the key in place of a member who left. Codes (hint): api_key_not_found, api_key_revoked, scope_above_own.';

grant execute on function
  private.create_api_key, private.rotate_api_key, private.revoke_api_key, private.update_api_key, private.adopt_api_key,
  public.create_api_key, public.rotate_api_key, public.revoke_api_key, public.update_api_key, public.adopt_api_key
  to authenticated;
