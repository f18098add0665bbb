-- An entry pairs a row's two versions by its organization and its key. By the key alone, which roles and members of
-- several organizations have in common, one tenant's log told of another's rows; and a change of a key left no trace.
set local lock_timeout = '5s';

create or replace function private.audit_changes() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
-- jsonb writes times in the session's zone
set timezone = 'UTC'
as $$
declare
  organization_column constant text := tg_argv[0];
  key_columns constant text[] := string_to_array(tg_argv[1], ',');
  action constant text := tg_table_name || '.' || lower(tg_op);
  redacted jsonb := '{}';
  entries private.audit_entry[];
begin
  if tg_nargs > 2 then
    select jsonb_object_agg(name, '[redacted]') into redacted from unnest(string_to_array(tg_argv[2], ',')) as name;
  end if;

  if tg_op = 'INSERT' then
    entries := array(
      select row((after ->> organization_column)::uuid, action, private.object_key(after, key_columns), null, after || redacted)::private.audit_entry
      from (select to_jsonb(added) as after from added) as changes
    );
  elsif tg_op = 'DELETE' then
    entries := array(
      select row((before ->> organization_column)::uuid, action, private.object_key(before, key_columns), before || redacted, null)::private.audit_entry
      from (select to_jsonb(removed) as before from removed) as changes
    );
  else
    -- A row whose organization or key changed has two entries: where it was, and where it is.
    entries := array(
      select row(
        (coalesce(new_row, old_row) ->> organization_column)::uuid, action,
        private.object_key(coalesce(new_row, old_row), key_columns), before, after
      )::private.audit_entry
      from (select to_jsonb(removed) as old_row from removed) as old_rows
      full join (select to_jsonb(added) as new_row from added) as new_rows
        on old_row ->> organization_column = new_row ->> organization_column
        and private.object_key(old_row, key_columns) = private.object_key(new_row, key_columns)
      cross join lateral (
        select private.changed_columns(old_row, new_row, redacted), private.changed_columns(new_row, old_row, redacted)
      ) as changed (before, after)
      where before is not null or after is not null
    );
  end if;

  -- The system's own roles belong to no organization.
  entries := array(select entry from unnest(entries) as entry where entry.organization_id is not null);
  if entries <> '{}' then
    perform private.append_audit(entries);
  end if;
  return null;
end
$$;
