-- Plans change between webhooks and not beside them: each locked what the other waited for, and one that had looked up a price
-- before it was moved stored the plan that it had belonged to.
set local lock_timeout = '5s';

create or replace function public.apply_stripe_object(p_ticket bigint, p_object jsonb) returns jsonb
language sql
set search_path = ''
as $$
  select pg_advisory_xact_lock_shared(hashtextextended('nectar.sync_plan', 0));
  select private.apply_stripe_object(p_ticket, p_object)
$$;

create or replace function public.apply_stripe_event(p_event jsonb, p_ticket bigint, p_object jsonb) returns jsonb
language sql
set search_path = ''
as $$
  select pg_advisory_xact_lock_shared(hashtextextended('nectar.sync_plan', 0));
  select private.apply_stripe_event(p_event, p_ticket, p_object)
$$;

create or replace function public.sync_plan(p_plan jsonb) returns boolean
language sql
set search_path = ''
as $$
  select pg_advisory_xact_lock(hashtextextended('nectar.sync_plan', 0));
  select private.sync_plan(p_plan)
$$;
