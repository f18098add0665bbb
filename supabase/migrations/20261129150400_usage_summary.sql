-- Usage as a chart wants it: from the rollups and what is not in them yet, in one snapshot, so that it is always exact.
set local lock_timeout = '5s';

create function public.usage_summary(
  p_organization_id uuid,
  p_metric text,
  p_from timestamptz,
  p_to timestamptz,
  p_granularity text default 'day',
  p_group_by text default null
) returns table (bucket timestamptz, group_id uuid, quantity numeric, events bigint)
language plpgsql stable
set search_path = ''
set timezone = 'UTC'
as $$
declare
  most_buckets constant integer := 400;
  first_bucket timestamptz;
  last_bucket timestamptz;
  buckets bigint;
begin
  if p_granularity is null or p_granularity <> all (array['hour', 'day', 'month']) then
    raise exception using errcode = '22023', hint = 'invalid_granularity',
      message = 'The granularity is hour, day or month.';
  elsif p_group_by <> all (array['application', 'api_key']) then
    raise exception using errcode = '22023', hint = 'invalid_group_by',
      message = 'Usage is grouped by application, by api_key, or not at all.';
  elsif not coalesce(isfinite(p_from) and isfinite(p_to) and p_from < p_to, false) then
    raise exception using errcode = '22023', hint = 'invalid_range', message = 'A range begins before it ends.';
  end if;

  first_bucket := date_trunc(p_granularity, p_from);
  last_bucket := date_trunc(p_granularity, p_to - interval '1 microsecond');
  buckets := 1 + case p_granularity
    when 'hour' then extract(epoch from last_bucket - first_bucket) / 3600
    when 'day' then extract(epoch from last_bucket - first_bucket) / 86400
    else (extract(year from last_bucket) - extract(year from first_bucket)) * 12
      + extract(month from last_bucket) - extract(month from first_bucket)
  end;
  if buckets > most_buckets then
    raise exception using errcode = '22023', hint = 'too_many_buckets',
      message = format('The range has %s buckets, and an answer at most %s. Ask for less, or for a coarser granularity.', buckets, most_buckets);
  end if;

  if p_granularity = 'hour' and first_bucket < date_trunc('month', now()) - interval '13 months' then
    raise exception using errcode = '22023', hint = 'hours_not_kept',
      message = 'Hours are kept for 13 months. Ask for days.';
  end if;

  return query
  with used as (
    select hours.hour as at, hours.application_id, hours.api_key_id, hours.quantity, hours.events
    from public.usage_hours as hours
    where p_granularity = 'hour' and hours.organization_id = p_organization_id and hours.metric = p_metric
      and hours.hour between first_bucket and last_bucket
    union all
    select days.day::timestamptz, days.application_id, days.api_key_id, days.quantity, days.events
    from public.usage_days as days
    where p_granularity <> 'hour' and days.organization_id = p_organization_id and days.metric = p_metric
      and days.day >= first_bucket::date
      and days.day < (last_bucket + ('1 ' || p_granularity)::interval)::date
    union all
    select tail.hour, tail.application_id, tail.api_key_id, tail.quantity, tail.events
    from private.usage_tail as tail
    where tail.organization_id = p_organization_id and tail.metric = p_metric
      and tail.hour >= first_bucket and tail.hour < last_bucket + ('1 ' || p_granularity)::interval
    union all
    select log.occurred_at, log.application_id, log.key_id, log.quantity, 1
    from private.request_log as log
    where log.organization_id = p_organization_id and log.metric = p_metric
      and log.occurred_at >= first_bucket and log.occurred_at < last_bucket + ('1 ' || p_granularity)::interval
    union all
    -- A chart without groups has no gaps.
    select every, null, null, 0, 0
    from generate_series(first_bucket, last_bucket, ('1 ' || p_granularity)::interval) as every
    where p_group_by is null
  )
  select
    date_trunc(p_granularity, used.at),
    case p_group_by when 'application' then used.application_id when 'api_key' then used.api_key_id end as grouped,
    sum(used.quantity),
    sum(used.events)::bigint
  from used
  group by 1, 2
  order by 1, 2;
end
$$;
comment on function public.usage_summary is
  'Usage of a metric in whole buckets of UTC that touch [p_from, p_to), at most 400; nothing for those without usage.read. '
  'Codes (hint): invalid_granularity, invalid_group_by, invalid_range, too_many_buckets, hours_not_kept.';

grant execute on function public.usage_summary to authenticated, service_role;
