-- Who asks for what comes after the last entry is told that all is whole, not that the chain is broken.
set local lock_timeout = '5s';

create or replace function private.verify_audit_chain(p_organization_id uuid, p_from bigint, p_to bigint)
returns table (checked bigint, first_broken_seq bigint, reason text, head_hash text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  head private.audit_chains;
  entry public.audit_log;
  previous bytea;
  last_seq bigint;
begin
  -- Without claims it is an operator in SQL, who could read the table anyway.
  if coalesce(auth.role(), 'service_role') <> 'service_role' then
    perform private.require_permission(p_organization_id, 'audit.read');
  end if;
  select * into head from private.audit_chains where organization_id = p_organization_id;
  head_hash := encode(head.hash, 'hex');
  checked := 0;
  last_seq := least(coalesce(p_to, head.seq), head.seq);

  first_broken_seq := least(greatest(coalesce(p_from, 1), 1), head.seq + 1);
  select hash into previous from public.audit_log
  where organization_id = p_organization_id and seq = first_broken_seq - 1;
  previous := coalesce(previous, '\x');

  for entry in
    select * from public.audit_log
    where organization_id = p_organization_id and seq >= first_broken_seq and seq <= last_seq
    order by seq, occurred_at
  loop
    reason := case
      when entry.seq > first_broken_seq then 'missing'
      when entry.seq < first_broken_seq then 'duplicated'
      when entry.previous_hash <> previous then 'unchained'
      when entry.hash <> sha256(previous || private.audit_payload(entry)) then 'altered'
    end;
    if reason is not null then
      first_broken_seq := least(first_broken_seq, entry.seq);
      return next;
      return;
    end if;
    previous := entry.hash;
    checked := checked + 1;
    first_broken_seq := first_broken_seq + 1;
  end loop;

  if first_broken_seq <= last_seq then
    reason := 'missing';
  elsif last_seq = head.seq and previous <> head.hash then
    first_broken_seq := last_seq;
    reason := 'unchained';
  else
    first_broken_seq := null;
  end if;
  return next;
end
$$;
