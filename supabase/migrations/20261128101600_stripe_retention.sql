-- How long the ledger remembers.
set local lock_timeout = '5s';

-- Stripe delivers an event for three days and resends it on demand for thirty: after 90 none comes twice. The payload
-- tells of people, and no one needs it once the event is applied: state is fetched, never read from it. What
-- failed stays until somebody has replayed it.
create function private.forget_stripe_events() returns integer
language sql
set search_path = ''
as $$
  with deleted as (
    delete from private.stripe_events
    where received_at <= now() - interval '90 days' and status in ('applied', 'ignored')
    returning 1
  ), emptied as (
    update private.stripe_events set payload = null
    where received_at <= now() - interval '30 days' and received_at > now() - interval '90 days'
      and status in ('applied', 'ignored') and payload is not null
    returning 1
  )
  select (select count(*) from deleted)::integer + (select count(*) from emptied)::integer
$$;

insert into private.maintenance_tasks (name) values ('forget_stripe_events');
