-- Privileged calls that change no row, yet must leave a trace: functions write it with their caller's rights.
set local lock_timeout = '5s';

create function private.log_audit_call(p_organization_id uuid, p_action text, p_details jsonb) returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  logged bigint;
begin
  perform private.require_permission(p_organization_id, 'audit.read');
  -- A closed list, so that nobody makes up what the triggers write.
  if p_action is distinct from 'audit.export' then
    raise exception using errcode = '22023', hint = 'unknown_action', message = 'There is no such action to log.';
  end if;
  if jsonb_typeof(p_details) is distinct from 'object' or octet_length(p_details::text) > 2048 then
    raise exception using errcode = '22023', hint = 'invalid_details',
      message = 'Details are a JSON object of at most 2 KiB.';
  end if;

  perform private.append_audit(
    array[row(p_organization_id, p_action, null, null, p_details)::private.audit_entry]
  );
  select seq into logged from private.audit_chains where organization_id = p_organization_id;
  return logged;
end
$$;

create function public.log_audit_call(p_organization_id uuid, p_action text, p_details jsonb default '{}')
returns bigint
language sql
set search_path = ''
as $$ select private.log_audit_call(p_organization_id, p_action, p_details) $$;
comment on function public.log_audit_call is
  'Logs a privileged call and gives its number in the log. Actions: audit.export. Codes (hint): not_permitted, unknown_action, invalid_details.';

grant execute on function private.log_audit_call, public.log_audit_call to authenticated;
