-- A partition for each month, made ahead by maintenance. Should it ever fall behind, the default one takes over:
-- a missing partition must not stop the product.
set local lock_timeout = '5s';

create table private.audit_log_default partition of public.audit_log default;
alter table private.audit_log_default enable row level security;

create function private.create_audit_partitions(p_months integer default 3) returns integer
language plpgsql
set search_path = ''
as $$
declare
  first_day date;
  partition text;
  made integer := 0;
begin
  for first_day in
    select generate_series(date_trunc('month', now()), date_trunc('month', now()) + make_interval(months => p_months), '1 month')
  loop
    partition := 'audit_log_' || to_char(first_day, 'YYYY_MM');
    continue when to_regclass('private.' || partition) is not null
      -- What the default has taken, it keeps.
      or exists (
        select from private.audit_log_default
        where occurred_at >= first_day and occurred_at < first_day + interval '1 month'
      );
    execute format('create table private.%I (like public.audit_log including all)', partition);
    execute format('alter table private.%I enable row level security', partition);
    -- Attached afterwards: made in place it would lock the whole log, and every change waits for the log.
    execute format(
      'alter table public.audit_log attach partition private.%I for values from (%L) to (%L)',
      partition, first_day, first_day + interval '1 month'
    );
    made := made + 1;
  end loop;
  return made;
end
$$;

select private.create_audit_partitions();
