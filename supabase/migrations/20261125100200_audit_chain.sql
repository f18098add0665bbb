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
  entries public.audit_log[];
  entry public.audit_log;
  hashes bytea[];
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
    entries := array(
      select row(
        head.organization_id, head.seq + row_number() over (order by ordinality), template.occurred_at,
        template.actor_kind, template.actor_id, template.on_behalf_of, action, object_id, before, after,
        template.request_id, template.ip, null, null
      )::public.audit_log
      from unnest(p_entries) with ordinality as given
      where given.organization_id = head.organization_id
      order by ordinality
    );
    hashes := array[head.hash];
    foreach entry in array entries loop
      head.hash := sha256(head.hash || private.audit_payload(entry));
      hashes := array_append(hashes, head.hash);
    end loop;

    insert into public.audit_log
    select organization_id, seq, occurred_at, actor_kind, actor_id, on_behalf_of, action, object_id, before, after,
      request_id, ip, previous_hash, hash
    from unnest(entries, hashes[:cardinality(entries)], hashes[2:]) as chained (
      organization_id, seq, occurred_at, actor_kind, actor_id, on_behalf_of, action, object_id, before, after,
      request_id, ip, no_previous_hash, no_hash, previous_hash, hash
    );
    update private.audit_chains set seq = head.seq + cardinality(entries), hash = head.hash
    where organization_id = head.organization_id;
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
