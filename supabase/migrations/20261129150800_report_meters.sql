-- What was used in an hour while it was billed becomes a message to Stripe. A difference is reported, so that each event
-- is in one message, whenever it comes; its identifier lets Stripe know it again when it is sent twice.
set local lock_timeout = '5s';

create function private.report_meters(p_limit integer default 10000) returns integer
language plpgsql
set search_path = ''
as $$
declare
  due private.meter_hours[];
  queued integer;
begin
  -- Locked by one statement and looked at by the next: whatever was added under a lock before this one's is seen by then, and
  -- who adds something later waits, and leaves the hour to be looked at again.
  select array_agg(hours) into due from (
    select meter_hours from private.meter_hours
    -- the hour itself, and half another for what comes a little late
    where hour <= now() - interval '90 minutes'
    order by organization_id, metric, hour
    limit p_limit
    for update skip locked
  ) as locked (hours);

  with complete as (
    delete from private.meter_hours as past using unnest(due) as hours
    where (past.organization_id, past.metric, past.hour) = (hours.organization_id, hours.metric, hours.hour)
    returning past.organization_id, past.metric, past.hour
  ), billed as (
    select complete.*, stripe_subscription_id, range_agg(tstzrange(starts_at, ends_at)) as spans,
      count(*) over (partition by complete.organization_id, complete.metric, hour) as subscriptions
    from complete
    join private.metered_spans as span using (organization_id, metric)
    where tstzrange(starts_at, ends_at) && tstzrange(hour, hour + interval '1 hour')
    group by complete.organization_id, complete.metric, hour, stripe_subscription_id
  ), used as (
    select billed.*, case
      -- The rollup knows what was used in an hour that is billed as a whole; of another the events tell.
      when subscriptions = 1 and spans @> tstzrange(hour, hour + interval '1 hour') then (
        select sum(quantity) from public.usage_hours as rollup
        where rollup.organization_id = billed.organization_id and rollup.metric = billed.metric
          and rollup.hour = billed.hour
      )
      else (
        select sum(quantity) from public.usage_events as event
        where event.organization_id = billed.organization_id and event.metric = billed.metric
          and event.occurred_at >= billed.hour and event.occurred_at < billed.hour + interval '1 hour'
          -- of two subscriptions at the same time the one that began later
          and billed.stripe_subscription_id = (
            select span.stripe_subscription_id from private.metered_spans as span
            where span.organization_id = event.organization_id and span.metric = event.metric
              and tstzrange(span.starts_at, span.ends_at) @> event.occurred_at
            order by span.starts_at desc, span.stripe_item_id desc
            limit 1
          )
      )
    end as quantity
    from billed
  ), grown as (
    select used.*, used.quantity - coalesce(known.quantity, 0) as more
    from used
    left join private.meter_reports as known using (organization_id, metric, hour, stripe_subscription_id)
    where used.quantity > coalesce(known.quantity, 0)
  ), noted as (
    insert into private.meter_reports as known (organization_id, metric, hour, stripe_subscription_id, quantity)
    select organization_id, metric, hour, stripe_subscription_id, quantity from grown
    on conflict (organization_id, metric, hour, stripe_subscription_id) do update set quantity = excluded.quantity
  ), messages as (
    insert into private.outbox (kind, organization_id, payload)
    select 'stripe.meter', organization_id, jsonb_build_object(
      'identifier', gen_random_uuid(), 'metric', metric, 'hour', hour,
      -- Of what was used before the item that bills it now began, by another of the subscription: then. As Stripe may count by
      -- the minute, the first whole one.
      'at', greatest(
        hour,
        (
          select date_trunc('minute', max(starts_at)) + interval '1 minute' from private.metered_spans as span
          where span.organization_id = grown.organization_id and span.metric = grown.metric
            and span.stripe_subscription_id = grown.stripe_subscription_id and span.starts_at >= grown.hour
        )
      ),
      -- as text: JSON's readers round large numbers
      'quantity', more::text, 'reported_at', now()
    )
    from grown
    -- What was used while something else was agreed on is not billed by the plan's price, whenever it is reported.
    where not exists (
      select from public.entitlement_overrides as agreed
      where agreed.organization_id = grown.organization_id and agreed.key = grown.metric || '.per_month'
        and coalesce(agreed.expires_at > grown.hour, true)
    )
    order by organization_id, metric, hour
    returning 1
  )
  select count(*) into queued from messages;
  return queued;
end
$$;

-- No event as old is taken any more.
create function private.forget_meter_reports() returns integer
language sql
set search_path = ''
as $$
  with gone as (
    delete from private.meter_reports where hour < now() - interval '36 days 1 hour' returning 1
  )
  select count(*)::integer from gone
$$;

insert into private.maintenance_tasks (name, position) values ('report_meters', 120), ('forget_meter_reports', 130);
