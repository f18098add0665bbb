-- The event and what it does are one transaction: claimed, applied, marked.
set local lock_timeout = '5s';

create function private.apply_stripe_event(p_event jsonb, p_ticket bigint, p_object jsonb) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  result jsonb;
begin
  -- A delivery of the same event beside this one waits here.
  insert into private.stripe_events as present
    (id, type, created, livemode, api_version, object_id, payload, status)
  values (
    p_event ->> 'id', p_event ->> 'type', to_timestamp((p_event ->> 'created')::double precision),
    (p_event ->> 'livemode')::boolean, p_event ->> 'api_version', p_event #>> '{data,object,id}', p_event, 'ignored'
  )
  on conflict (id) do update set attempts = present.attempts + 1
  where present.status <> 'applied';
  if not found then
    return '{"outcome": "duplicate", "changed": false}';
  end if;

  result := case
    when p_object ->> 'kind' = 'none' then '{"outcome": "ignored", "changed": false}'
    when (p_event ->> 'livemode')::boolean is distinct from (p_object ->> 'livemode')::boolean
      then '{"outcome": "wrong_mode", "changed": false}'
    else private.apply_stripe_object(p_ticket, p_object)
  end;
  update private.stripe_events set
    outcome = result ->> 'outcome',
    status = case when result ->> 'outcome' in ('applied', 'stale') then 'applied' else 'ignored' end,
    last_error = null,
    applied_at = case when result ->> 'outcome' in ('applied', 'stale') then now() end
  where id = p_event ->> 'id';
  return result;
end
$$;

create function public.apply_stripe_event(p_event jsonb, p_ticket bigint, p_object jsonb) returns jsonb
language sql
set search_path = ''
as $$ select private.apply_stripe_event(p_event, p_ticket, p_object) $$;
comment on function public.apply_stripe_event is
  'Claims the event, stores its object and marks it, in one transaction. Outcomes: applied, stale, duplicate, unlinked, wrong_mode, ignored. Codes (hint): invalid_object.';

grant execute on function private.apply_stripe_event, public.apply_stripe_event to service_role;
