-- Partitions by month for any table that asks for them: made ahead, attached without a lock that others wait for,
-- and dropped when their month is old enough.
set local lock_timeout = '5s';

-- For a table in public, partitioned by range of one timestamptz column, with a default partition private.NAME_default
-- that takes over should maintenance ever fall behind.
create function private.create_month_partitions(p_table regclass, p_ahead integer default 3, p_behind integer default 0)
returns integer
language plpgsql
set search_path = ''
set timezone = 'UTC'
as $$
declare
  table_name constant text := (select relname from pg_catalog.pg_class where oid = p_table);
  time_column constant text := (
    select attname from pg_catalog.pg_partitioned_table
    join pg_catalog.pg_attribute on attrelid = partrelid and attnum = partattrs[0]
    where partrelid = p_table
  );
  this_month constant date := date_trunc('month', now());
  first_day date;
  partition text;
  taken boolean;
  made integer := 0;
begin
  for first_day in
    select generate_series(
      this_month - make_interval(months => p_behind), this_month + make_interval(months => p_ahead), '1 month'
    )
  loop
    partition := table_name || '_' || to_char(first_day, 'YYYY_MM');
    continue when to_regclass(format('private.%I', partition)) is not null;
    execute format(
      'select exists (select from private.%I where %I >= %L and %I < %L)',
      table_name || '_default', time_column, first_day, time_column, first_day + interval '1 month'
    ) into taken;
    -- What the default has taken, it keeps.
    continue when taken;
    execute format('create table private.%I (like %s including all)', partition, p_table);
    execute format('alter table private.%I enable row level security', partition);
    -- Attached afterwards: made in place it would lock the whole table, and its writers wait for that.
    execute format(
      'alter table %s attach partition private.%I for values from (%L) to (%L)',
      p_table, partition, first_day, first_day + interval '1 month'
    );
    made := made + 1;
  end loop;
  return made;
end
$$;

-- Drops the months that ended more than p_keep months ago. The table is locked for a moment: who cannot have it
-- within two seconds leaves it to the next run.
create function private.drop_month_partitions(p_table regclass, p_keep integer) returns integer
language plpgsql
set search_path = ''
set timezone = 'UTC'
set lock_timeout = '2s'
as $$
declare
  newest constant text := to_char(date_trunc('month', now()) - make_interval(months => p_keep), 'YYYY_MM');
  partition regclass;
  dropped integer := 0;
begin
  for partition in
    select inhrelid from pg_catalog.pg_inherits
    join pg_catalog.pg_class on pg_class.oid = inhrelid
    where inhparent = p_table and relname ~ '_\d{4}_\d{2}$' and right(relname, 7) < newest
    order by relname
  loop
    execute format('drop table %s', partition);
    dropped := dropped + 1;
  end loop;
  return dropped;
end
$$;

create or replace function private.create_audit_partitions(p_months integer default 3) returns integer
language sql
set search_path = ''
as $$ select private.create_month_partitions('public.audit_log', p_months) $$;
