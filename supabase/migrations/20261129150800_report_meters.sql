-- An hour of metered usage becomes a message to Stripe, and leaves the hours that are to be reported, in one statement:
-- each event is in one message. Its identifier lets Stripe know it again when it is sent twice.
set local lock_timeout = '5s';

create function private.report_meters() returns integer
language sql
set search_path = ''
as $$
  with complete as (
    delete from private.meter_hours
    -- the hour itself, and half another for what comes a little late
    where hour <= now() - interval '90 minutes'
    returning *
  ), queued as (
    insert into private.outbox (kind, organization_id, payload)
    select 'stripe.meter', organization_id, jsonb_build_object(
      'identifier', gen_random_uuid(), 'metric', metric, 'hour', hour,
      -- as text: JSON's readers round large numbers
      'quantity', quantity::text, 'reported_at', now()
    )
    from complete
    where organization_id in (select id from public.organizations)
    order by organization_id, metric, hour
    returning 1
  )
  select count(*)::integer from queued
$$;

insert into private.maintenance_tasks (name, position) values ('report_meters', 120);
