set local lock_timeout = '5s';

-- What a row's hash covers: everything in it, and the hash before it.
create function private.audit_payload(p_row public.audit_log) returns bytea
language sql stable
set search_path = ''
return convert_to(
  jsonb_build_array(
    p_row.organization_id, p_row.seq, (extract(epoch from p_row.occurred_at) * 1000000)::bigint, p_row.actor_kind,
    p_row.actor_id, p_row.on_behalf_of, p_row.action, p_row.object_id, p_row.before, p_row.after,
    p_row.request_id, p_row.ip
  )::text,
  'UTF8'
);

create function private.next_hash(p_state bytea, p_first bytea, p_payload bytea) returns bytea
language plpgsql immutable
set search_path = ''
as $$
begin
  return sha256(coalesce(p_state, p_first) || p_payload);
end
$$;

-- As a window function: the hash of each row over the one before, beginning with p_first.
create aggregate private.hash_chain (p_first bytea, p_payload bytea) (
  sfunc = private.next_hash,
  stype = bytea
);

create type private.audit_entry as (
  organization_id uuid, action text, object_id text, before jsonb, after jsonb
);

-- Appends entries to the chains of their organizations. A chain is locked until its transaction ends: last of
-- all locks, and in the order of organizations.
create function private.append_audit(p_entries private.audit_entry[]) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  claims constant jsonb := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
  headers constant jsonb := nullif(current_setting('request.headers', true), '')::jsonb;
  template public.audit_log;
  head private.audit_chains;
begin
  template.actor_kind := case claims ->> 'role' when 'authenticated' then 'user' when 'service_role' then 'service' else 'system' end;
  template.actor_id := (claims ->> 'sub')::uuid;
  template.request_id := left(headers ->> 'x-request-id', 128);
  template.ip := private.client_ip(headers);
  if template.actor_kind = 'service' then
    template.on_behalf_of := private.uuid_or_null(headers ->> 'x-on-behalf-of');
  end if;

  insert into private.audit_chains (organization_id)
  select distinct organization_id from unnest(p_entries) order by 1
  on conflict do nothing;

  for head in
    select * from private.audit_chains
    where organization_id in (select organization_id from unnest(p_entries))
    order by organization_id
    for update
  loop
    -- Read behind the lock, so that time never runs backwards within a chain.
    template.occurred_at := clock_timestamp();
    with numbered as (
      select row_number() over (order by ordinality) as n, entry.*
      from unnest(p_entries) with ordinality as entry
      where entry.organization_id = head.organization_id
    ),
    logged as (
      select n, row(
        head.organization_id, head.seq + n, template.occurred_at, template.actor_kind, template.actor_id,
        template.on_behalf_of, action, object_id, before, after, template.request_id, template.ip, null, null
      )::public.audit_log as logged
      from numbered
    ),
    chained as (
      select n, logged, private.hash_chain(head.hash, private.audit_payload(logged)) over (order by n) as hash
      from logged
    ),
    appended as (
      insert into public.audit_log
      select (logged).organization_id, (logged).seq, (logged).occurred_at, (logged).actor_kind, (logged).actor_id,
        (logged).on_behalf_of, (logged).action, (logged).object_id, (logged).before, (logged).after,
        (logged).request_id, (logged).ip, coalesce(lag(hash) over (order by n), head.hash), hash
      from chained
      returning seq, hash
    )
    update private.audit_chains
    set (seq, hash) = (select appended.seq, appended.hash from appended order by appended.seq desc limit 1)
    where audit_chains.organization_id = head.organization_id;
  end loop;
end
$$;

create function private.uuid_or_null(p_text text) returns uuid
language sql immutable
set search_path = ''
return case when pg_input_is_valid(p_text, 'uuid') then p_text::uuid end;

-- As the platform's proxies tell it. Whoever reaches PostgREST past them can say what they like.
create function private.client_ip(p_headers jsonb) returns inet
language sql stable
set search_path = ''
as $$
  select case when pg_input_is_valid(told.ip, 'inet') then told.ip::inet end
  from (
    select coalesce(p_headers ->> 'cf-connecting-ip', btrim(split_part(p_headers ->> 'x-forwarded-for', ',', 1)))
  ) as told (ip)
$$;
