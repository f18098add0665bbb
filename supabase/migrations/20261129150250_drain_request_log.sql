-- Requests that authorize_request let through become events once their ids need not be remembered any more. A request is
-- in the log or among the events, never in both: it leaves one and enters the other in the same statement.
set local lock_timeout = '5s';

create function private.drain_request_log(p_limit integer default 500000) returns integer
language plpgsql
set search_path = ''
set timezone = 'UTC'
as $$
declare
  forgotten constant timestamptz := clock_timestamp() - private.request_window();
  drained integer;
begin
  with leaving as (
    delete from private.request_log
    where ctid = any (array(
      select ctid from private.request_log where occurred_at < forgotten limit p_limit for update skip locked
    ))
    returning *
  ), kept as materialized (
    select leaving.* from leaving where organization_id in (select id from public.organizations)
  ), written as (
    -- Without a claim in usage_keys: the log has seen to it that each is there once.
    insert into public.usage_events
      (organization_id, application_id, api_key_id, metric, quantity, occurred_at, idempotency_key, dimensions)
    select
      organization_id, application_id, key_id, metric, quantity, occurred_at, 'request:' || request_id,
      jsonb_strip_nulls(jsonb_build_object('environment', environment, 'workflow_id', workflow_id))
    from kept
  ), added as (
    insert into private.usage_tail (organization_id, metric, hour, application_id, api_key_id, quantity, events)
    select organization_id, metric, date_trunc('hour', occurred_at), application_id, key_id, sum(quantity), count(*)
    from kept
    group by organization_id, metric, date_trunc('hour', occurred_at), application_id, key_id
  )
  select count(*) into drained from leaving;
  return drained;
end
$$;

-- The log's own migration grants it to nobody; usage_summary reads what has not left it yet.
grant select on private.request_log to authenticated, service_role;
create policy "members read the latest requests" on private.request_log
  as permissive for select to authenticated
  using (organization_id = any ((select private.orgs_with('usage.read'))::uuid[]));

-- Before roll_up_usage, which takes up what this adds.
insert into private.maintenance_tasks (name, position) values ('drain_request_log', 90);
