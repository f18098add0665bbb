set local lock_timeout = '5s';

-- {"production": {"API_URL": "https://…", "RETRIES": 3}, …}: names and plain values, no nesting. Not for secrets.
create function private.valid_environments(p_environments jsonb) returns boolean
language sql immutable
set search_path = ''
as $$
  select jsonb_typeof(p_environments) = 'object'
    and octet_length(p_environments::text) <= 16384
    and not exists (
      select from jsonb_each(
        case jsonb_typeof(p_environments) when 'object' then p_environments else '{}' end
      ) as environment (name, settings)
      where environment.name !~ '\A[a-z][a-z0-9-]{0,30}\Z'
        or jsonb_typeof(environment.settings) <> 'object'
        or exists (
          select from jsonb_each(
            case jsonb_typeof(environment.settings) when 'object' then environment.settings else '{}' end
          ) as setting (name, value)
          where setting.name !~ '\A[A-Z][A-Z0-9_]{0,62}\Z'
            or jsonb_typeof(setting.value) not in ('string', 'number', 'boolean')
        )
    )
$$;
-- A check runs with the rights of whoever writes the row.
grant execute on function private.valid_environments to authenticated, service_role;

alter table public.applications
  add column archived_at timestamptz,
  add column environments jsonb not null default '{}';
alter table public.applications add constraint invalid_environments
  check (private.valid_environments(environments)) not valid;
alter table public.applications validate constraint invalid_environments;

grant insert (environments), update (environments, archived_at) on public.applications to authenticated;

-- Archived at the time it happens, and read-only until restored (archived_at: null).
create function private.keep_archived() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if old.archived_at is not null and new.archived_at is not null
    -- its author's account may still go
    and to_jsonb(new) - 'created_by' <> to_jsonb(old) - 'created_by'
  then
    raise exception using errcode = 'PT409', hint = 'application_archived',
      message = 'This application is archived. Restore it first.';
  end if;
  if new.archived_at is distinct from old.archived_at and new.archived_at is not null then
    new.archived_at := now();
  end if;
  return new;
end
$$;

create trigger keep_archived before update on public.applications
  for each row when (old.archived_at is not null or new.archived_at is not null)
  execute function private.keep_archived();
