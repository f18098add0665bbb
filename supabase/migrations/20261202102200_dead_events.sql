-- Stripe tries some ten times in three days, and a sandbox three times in hours: twelve attempts are hardly ever made. What has
-- failed for longer nobody tries again, and operators are to see it.
set local lock_timeout = '5s';

create or replace function private.forget_stripe_events() returns integer
language sql
set search_path = ''
as $$
  with given_up as (
    update private.stripe_events set status = 'dead'
    where status = 'failed' and received_at <= now() - interval '3 days'
    returning 1
  ), deleted as (
    delete from private.stripe_events
    where received_at <= now() - interval '90 days' and status in ('applied', 'ignored')
    returning 1
  ), emptied as (
    update private.stripe_events set payload = null
    where received_at <= now() - interval '30 days' and received_at > now() - interval '90 days'
      and status in ('applied', 'ignored') and payload is not null
    returning 1
  )
  select (
    (select count(*) from given_up) + (select count(*) from deleted) + (select count(*) from emptied)
  )::integer
$$;
