-- Rate limits: buckets that fill at an even pace. Exact whatever the concurrency, and one row for each that is not full.
set local lock_timeout = '5s';

create table private.token_buckets (
  name text primary key,
  -- when it will be full again: all there is to know about a bucket of a given size and pace
  full_at timestamptz not null
);
alter table private.token_buckets enable row level security;
create index token_buckets_full on private.token_buckets (full_at);

-- Takes a token and answers 0, or takes none and answers in how many seconds there will be one.
create function private.take_token(p_bucket text, p_capacity double precision, p_per_second double precision)
returns double precision
language plpgsql
set search_path = ''
as $$
declare
  -- Read before the row is locked: who had to wait is judged by a time that is earlier, never later.
  at constant timestamptz := clock_timestamp();
  refill interval;
  latest timestamptz;
begin
  if (p_capacity >= 1 and p_per_second > 0) is not true then
    raise exception using errcode = '22023', hint = 'invalid_bucket',
      message = 'A bucket has room for a token, and fills.';
  end if;
  refill := make_interval(secs => 1 / p_per_second);
  latest := at + make_interval(secs => p_capacity / p_per_second);

  insert into private.token_buckets as bucket (name, full_at) values (p_bucket, at + refill)
  on conflict (name) do update set full_at = greatest(bucket.full_at, at) + refill
    where greatest(bucket.full_at, at) + refill <= latest;
  if found then
    return 0;
  end if;
  return greatest(
    0.001, extract(epoch from (select full_at from private.token_buckets where name = p_bucket) + refill - latest)
  );
end
$$;

-- A full bucket is as good as none.
create function private.delete_full_buckets() returns integer
language sql
set search_path = ''
as $$
  with gone as (
    delete from private.token_buckets where name in (
      select name from private.token_buckets where full_at <= now() for update skip locked
    ) returning 1
  )
  select count(*)::integer from gone
$$;

insert into private.maintenance_tasks (name) values ('delete_full_buckets');
