-- Statement by statement, with the rows that changed.
set local lock_timeout = '5s';

-- Arguments: the column that names the organization, the key's columns separated by commas, and the columns
-- whose values are left out.
create function private.audit_changes() returns trigger
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
    entries := array(
      select row(
        (after ->> organization_column)::uuid, action, private.object_key(after, key_columns),
        private.changed_columns(before, after, redacted), private.changed_columns(after, before, redacted)
      )::private.audit_entry
      from (select to_jsonb(removed) as before from removed) as old_rows
      join (select to_jsonb(added) as after from added) as new_rows
        on private.object_key(before, key_columns) = private.object_key(after, key_columns)
      where private.changed_columns(before, after, redacted) is not null
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

create function private.object_key(p_row jsonb, p_columns text[]) returns text
language sql immutable
set search_path = ''
return concat_ws('/', p_row ->> p_columns[1], p_row ->> p_columns[2], p_row ->> p_columns[3]);

-- The columns of one row version that differ in the other, but for those that follow from another change.
create function private.changed_columns(p_row jsonb, p_other jsonb, p_redacted jsonb) returns jsonb
language sql immutable
set search_path = ''
as $$
  select jsonb_object_agg(key, coalesce(p_redacted -> key, value))
  from jsonb_each(p_row)
  where value is distinct from p_other -> key and key not in ('updated_at', 'active')
$$;

create function private.audit_table(p_table regclass, p_organization_column text, p_key_columns text, p_redacted text default null)
returns void
language plpgsql
set search_path = ''
as $$
declare
  arguments constant text := concat_ws(', ', quote_literal(p_organization_column), quote_literal(p_key_columns), quote_literal(p_redacted));
begin
  execute format(
    'create trigger audit_insert after insert on %s referencing new table as added
       for each statement execute function private.audit_changes(%s)', p_table, arguments);
  execute format(
    'create trigger audit_update after update on %s referencing old table as removed new table as added
       for each statement execute function private.audit_changes(%s)', p_table, arguments);
  execute format(
    'create trigger audit_delete after delete on %s referencing old table as removed
       for each statement execute function private.audit_changes(%s)', p_table, arguments);
end
$$;
comment on function private.audit_table is 'Audits a table. For migrations: every core table calls it once.';

-- A person's own profile has a chain of its own, without the personal data: that must be able to go.
select
  private.audit_table('public.users', 'id', 'id', 'email,name,avatar_url'),
  private.audit_table('public.organizations', 'id', 'id'),
  private.audit_table('public.roles', 'organization_id', 'key'),
  private.audit_table('public.role_permissions', 'organization_id', 'role_key,permission'),
  private.audit_table('public.memberships', 'organization_id', 'user_id'),
  private.audit_table('public.invitations', 'organization_id', 'id', 'email,token_hash'),
  private.audit_table('public.ownership_offers', 'organization_id', 'to_user_id'),
  private.audit_table('public.applications', 'organization_id', 'id');
