-- Events from servers: each claims its key, is written, and is added to the tail, in one statement.
set local lock_timeout = '5s';

insert into public.permissions (key, description) values
  ('usage.write', 'Report usage, with an API key that has this scope.');
insert into public.role_permissions (role_key, permission) values
  ('owner', 'usage.write'), ('admin', 'usage.write'), ('developer', 'usage.write');

-- Calls that report usage are counted apart from all others, and only their rate is limited.
insert into public.entitlement_keys (key, unit, default_value, description) values
  ('usage_reports.per_month', 'per_month', null, 'Calls that report usage in a calendar month (UTC).'),
  ('usage_reports.per_second', 'per_second', 10, 'Calls that report usage in a second.');

create function private.ingest_usage(p_organization_id uuid, p_events jsonb)
returns table (accepted integer, duplicates integer, rejected jsonb)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
-- A batch is sorted in memory.
set work_mem = '16MB'
-- The plan is kept, and may be older than most of the keys. What is switched off counts as dear, which is no reason to compile.
set enable_seqscan = off
set jit = off
as $$
declare
  most_events constant integer := 20000;
  oldest constant timestamptz := now() - interval '35 days';
  newest constant timestamptz := now() + interval '1 hour';
  closed timestamptz;
  period record;
  valid integer;
  this_period jsonb;
  some_known boolean;
begin
  select closed_at into closed from public.organizations where id = p_organization_id;
  if not found then
    raise exception using errcode = 'PT404', hint = 'organization_not_found', message = 'There is no such organization.';
  elsif closed is not null then
    raise exception using errcode = 'PT409', hint = 'organization_closed', message = 'This organization is closed.';
  elsif jsonb_typeof(p_events) is distinct from 'array' then
    raise exception using errcode = '22023', hint = 'invalid_events', message = 'Events are a JSON array of objects.';
  elsif jsonb_array_length(p_events) > most_events then
    raise exception using errcode = '22023', hint = 'too_many_events',
      message = format('A call takes at most %s events. Send the rest in another.', most_events);
  end if;
  select starts_at, ends_at into period from private.usage_period(now());

  -- Nearly always all keys are new, and inserted without a look at each, which is faster. Should the index refuse one, all so
  -- far is undone, and the next turn leaves out what is known by then. A batch that is sent again begins with a key that is.
  some_known := exists (
    select from private.usage_keys
    where organization_id = p_organization_id and idempotency_key = p_events #>> '{0,idempotency_key}' collate "C"
  );
  loop
    begin
      with sent as materialized (
        select sent.*, case
          when sent_key is null or char_length(sent_key) not between 1 and 128 then
            case when jsonb_typeof(p_events -> (place - 1)) = 'object' then 'invalid_idempotency_key' else 'not_an_object' end
          when sent_metric is null or sent_metric !~ '\A[a-z][a-z0-9_]*(\.[a-z0-9_]+)*\Z' or octet_length(sent_metric) > 64
            then 'invalid_metric'
          when sent_quantity is null or sent_quantity not between 1 and 1000000000000 then 'invalid_quantity'
          when sent_at = '-infinity' then 'invalid_occurred_at'
          when sent_at < oldest then 'too_old'
          when sent_at > newest then 'in_the_future'
          when sent_application is not null
            and sent_application not in (select id from public.applications where organization_id = p_organization_id)
            then 'unknown_application'
          when sent_api_key is not null
            and sent_api_key not in (select id from public.api_keys where organization_id = p_organization_id)
            then 'unknown_api_key'
          when jsonb_typeof(sent_dimensions) not in ('object', 'null') or pg_column_size(sent_dimensions) > 1024
            then 'invalid_dimensions'
        end as reason
        from json_table(p_events, '$[*]' columns (
          place for ordinality,
          -- strict: a list that holds an event is none
          sent_key text path 'strict $.idempotency_key' null on error,
          sent_metric text path '$.metric' null on error,
          -- a number, and not the text of one
          sent_quantity bigint path 'strict $.quantity ? (@.type() == "number")' null on error,
          sent_at timestamptz path '$.occurred_at' default '-infinity' on error,
          sent_application uuid path '$.application_id'
            default '00000000-0000-0000-0000-000000000000' on error,
          sent_api_key uuid path '$.api_key_id' default '00000000-0000-0000-0000-000000000000' on error,
          sent_dimensions jsonb path '$.dimensions'
        )) as sent
      ), counted as materialized (
        -- In the order of their keys: two batches that share some wait for each other, and not in a circle.
        select distinct on (sent_key collate "C")
          sent_key, sent_metric, sent_quantity, coalesce(sent_at, now()) as sent_at, sent_application, sent_api_key,
          sent_dimensions
        from sent
        where reason is null and not (some_known and (
          select true from private.usage_keys as known
          where known.organization_id = p_organization_id and known.idempotency_key = sent_key collate "C"
          limit 1
        ) is not null)
        order by sent_key collate "C", place
      ), claimed as (
        insert into private.usage_keys (organization_id, idempotency_key)
        select p_organization_id, sent_key from counted
        returning true
      ), written as (
        insert into public.usage_events
          (organization_id, application_id, api_key_id, metric, quantity, occurred_at, idempotency_key, dimensions)
        select
          p_organization_id, sent_application, sent_api_key, sent_metric, sent_quantity, sent_at, sent_key,
          coalesce(nullif(sent_dimensions, 'null'), '{}')
        from counted
        -- Not before all keys are claimed: nothing else is then undone. And in the order of the index.
        where (select count(*) from claimed) > 0
        order by sent_at
      ), added as (
        insert into private.usage_tail (organization_id, metric, hour, application_id, api_key_id, quantity, events)
        select
          p_organization_id, sent_metric, date_trunc('hour', sent_at), sent_application, sent_api_key,
          sum(sent_quantity), count(*)
        from counted
        where (select count(*) from claimed) > 0
        group by sent_metric, date_trunc('hour', sent_at), sent_application, sent_api_key
        returning usage_tail.metric, usage_tail.hour, usage_tail.quantity
      )
      select
        (select count(*) from claimed),
        count(*) filter (where reason is null),
        coalesce(
          jsonb_agg(jsonb_build_object('index', place - 1, 'reason', reason) order by place)
            filter (where reason is not null),
          '[]'
        ),
        (
          select coalesce(jsonb_agg(jsonb_build_object('metric', metric, 'quantity', quantity)), '[]')
          from (
            select metric, sum(quantity) as quantity
            from added
            where hour >= period.starts_at and hour < period.ends_at
            group by metric
          ) as this_period
        )
      into accepted, valid, rejected, this_period
      from sent;
      exit;
    exception when unique_violation then
      -- Whoever keeps to an older snapshot does not see the key that it met.
      if some_known and current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
        raise serialization_failure using message = 'Another batch has counted some of these events. Send them again.';
      end if;
      some_known := true;
    end;
  end loop;
  duplicates := valid - accepted;

  -- Last, since whoever counts next waits for this transaction; in one order, so that none waits in a circle.
  perform private.count_usage(p_organization_id, metric, quantity, now())
  from jsonb_to_recordset(this_period) as counted (metric text, quantity bigint)
  order by metric;
  return next;
end
$$;

create function public.ingest_usage(p_organization_id uuid, p_events jsonb)
returns table (accepted integer, duplicates integer, rejected jsonb)
language sql
set search_path = ''
as $$ select * from private.ingest_usage(p_organization_id, p_events) $$;
comment on function public.ingest_usage is
  'For servers: counts up to 20,000 events, each once by its idempotency key; rejected: [{index, reason}]. '
  'Codes (hint): organization_not_found, organization_closed, invalid_events, too_many_events.';

grant execute on function private.ingest_usage, public.ingest_usage to service_role;
