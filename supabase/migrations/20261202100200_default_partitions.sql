-- Rows that a default partition took over while maintenance stood still go when they are as old as what is dropped.
set local lock_timeout = '5s';

create or replace function private.drop_month_partitions(p_table regclass, p_keep integer) returns integer
language plpgsql
set search_path = ''
set timezone = 'UTC'
set lock_timeout = '2s'
as $$
declare
  table_name constant text := (select relname from pg_catalog.pg_class where oid = p_table);
  time_column constant text := (
    select attname from pg_catalog.pg_partitioned_table
    join pg_catalog.pg_attribute on attrelid = partrelid and attnum = partattrs[0]
    where partrelid = p_table
  );
  oldest constant date := date_trunc('month', now()) - make_interval(months => p_keep);
  partition regclass;
  dropped integer := 0;
begin
  execute format('delete from private.%I where %I < %L', table_name || '_default', time_column, oldest);
  for partition in
    select inhrelid from pg_catalog.pg_inherits
    join pg_catalog.pg_class on pg_class.oid = inhrelid
    where inhparent = p_table and relname ~ '_\d{4}_\d{2}$' and right(relname, 7) < to_char(oldest, 'YYYY_MM')
    order by relname
  loop
    execute format('drop table %s', partition);
    dropped := dropped + 1;
  end loop;
  return dropped;
end
$$;
