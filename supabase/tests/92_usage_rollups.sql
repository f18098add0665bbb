-- Promise: rollups and what is not in them yet are together a recount of the events, whatever comes late; and what is not
-- kept goes as it is written.
begin;
\ir support/tenants.psql
select plan(26);

-- Rollups run one at a time: this file's are not beside another's.
select pg_advisory_xact_lock(hashtextextended('nectar.roll_up_usage', 0));
create function tests.used(p_metric text, p_quantity bigint, p_at timestamptz, p_application text default null) returns void
language sql
as $$
  select private.ingest_usage(tests.id('acme'), jsonb_build_array(jsonb_build_object(
    'idempotency_key', gen_random_uuid(), 'metric', p_metric, 'quantity', p_quantity, 'occurred_at', p_at,
    'application_id', tests.id(p_application)
  )))
$$;
-- What the rollups say, and what a recount says.
create function tests.differences() returns setof record
language sql
as $$
  (
    (select organization_id, metric, hour, application_id, api_key_id, quantity, events from public.usage_hours where organization_id = tests.id('acme')
     union all select organization_id, metric, day, application_id, api_key_id, quantity, events from public.usage_days where organization_id = tests.id('acme'))
    except all
    (select organization_id, metric, date_trunc('hour', occurred_at, 'UTC'), application_id, api_key_id, sum(quantity), count(*)
     from public.usage_events where organization_id = tests.id('acme') group by 1, 2, 3, 4, 5
     union all
     select organization_id, metric, date_trunc('day', occurred_at, 'UTC'), application_id, api_key_id, sum(quantity), count(*)
     from public.usage_events where organization_id = tests.id('acme') group by 1, 2, 3, 4, 5)
  ) union all (
    (select organization_id, metric, date_trunc('hour', occurred_at, 'UTC'), application_id, api_key_id, sum(quantity), count(*)
     from public.usage_events where organization_id = tests.id('acme') group by 1, 2, 3, 4, 5
     union all
     select organization_id, metric, date_trunc('day', occurred_at, 'UTC'), application_id, api_key_id, sum(quantity), count(*)
     from public.usage_events where organization_id = tests.id('acme') group by 1, 2, 3, 4, 5)
    except all
    (select organization_id, metric, hour, application_id, api_key_id, quantity, events from public.usage_hours where organization_id = tests.id('acme')
     union all select organization_id, metric, day, application_id, api_key_id, quantity, events from public.usage_days where organization_id = tests.id('acme'))
  )
$$;
create function tests.is_recount(p_description text) returns text
language sql
as $$
  select is_empty(
    $sql$select * from tests.differences() as (o uuid, m text, h timestamptz, a uuid, k uuid, q numeric, e bigint)$sql$,
    p_description
  )
$$;

select tests.used('rows_read', 3, now(), 'rocket'), tests.used('rows_read', 4, now()),
  tests.used('rows_read', 5, now() - interval '1 day', 'rocket'), tests.used('rows_written', 1, now());
select ok(private.roll_up_usage() >= 4, 'the tail moves');
select is_empty($$select from private.usage_tail where organization_id = tests.id('acme')$$, 'and is gone');
select private.roll_up_usage();
select tests.is_recount('the rollups are a recount');

select tests.used('rows_read', 7, now() - interval '1 day', 'rocket'), tests.used('rows_read', 8, now() - interval '34 days');
select private.roll_up_usage();
select tests.is_recount('what came late is in its hour');
select ok(
  (select sum(quantity) from public.usage_hours where quantity > 9e18) is null
    and tests.outcome($$insert into public.usage_hours (organization_id, metric, hour, quantity, events)
      values (tests.id('acme'), 'huge', now(), 1e30, 1)$$) = 'yes',
  'a sum has no limit that stops the rollup of all'
);

-- Requests that were let through.
insert into private.request_log (organization_id, request_id, occurred_at, quantity, application_id, key_id, environment, metric)
select tests.id(name), 'request ' || name || minutes, clock_timestamp() - make_interval(mins => minutes), 10, tests.id('rocket'), tests.id('key'), 'live', 'rows_read'
from unnest(array['acme', 'no such']) as name, unnest(array[1, 20]) as minutes;
create temporary table total as
select sum(quantity) as quantity from public.usage_summary(tests.id('acme'), 'rows_read', now() - interval '40 days', now() + interval '1 hour');
select is((select quantity from total), 47::numeric, 'the summary counts requests that are only in the log');
select private.drain_request_log();
select results_eq(
  $$select request_id collate "default" from private.request_log where organization_id in (tests.id('acme'), tests.id('no such')) order by 1$$,
  $$values ('request acme1'), ('request no such1')$$, 'those whose window is over leave the log'
);
select private.drain_request_log();
select results_eq(
  $$select idempotency_key, quantity, dimensions from public.usage_events where organization_id = any (array[tests.id('acme'), tests.id('no such')]) and idempotency_key like 'request:%'$$,
  $$values ('request:request acme20', 10::bigint, '{"environment": "live"}'::jsonb)$$,
  'and are events, but for an organization that is gone'
);
select is(
  (select sum(quantity) from public.usage_summary(tests.id('acme'), 'rows_read', now() - interval '40 days', now() + interval '1 hour')),
  (select quantity from total), 'which the summary counts as before'
);
select private.roll_up_usage();
select tests.is_recount('and the rollups too');
select is(
  (select sum(quantity) from public.usage_summary(tests.id('acme'), 'rows_read', now() - interval '40 days', now() + interval '1 hour')),
  (select quantity from total), 'and so does the summary'
);

-- The summary's answers.
select results_eq(
  $$select group_id, sum(quantity) from public.usage_summary(tests.id('acme'), 'rows_read', now() - interval '40 days', now() + interval '1 hour', 'month', 'application')
    group by 1 order by 1$$,
  $$values (tests.id('rocket'), 35::numeric), (null, 12)$$, 'by application'
);
select is(
  (select array_agg(distinct group_id) from public.usage_summary(tests.id('acme'), 'rows_read', now() - interval '40 days', now() + interval '1 hour', 'day', 'api_key')),
  array[tests.id('key'), null], 'by key'
);
select results_eq(
  $$select count(*), sum(quantity) from public.usage_summary(tests.id('acme'), 'nothing', '2026-01-01T00:30:00Z', '2026-01-02T00:00:00Z', 'day')$$,
  $$values (1::bigint, 0::numeric)$$, 'a bucket that the range touches, and none beside it'
);
select results_eq(
  $$select bucket from public.usage_summary(tests.id('acme'), 'nothing', '2025-12-31T23:30:00Z', '2026-02-01T00:00:01Z', 'month')$$,
  $$values ('2025-12-01T00:00:00Z'::timestamptz), ('2026-01-01T00:00:00Z'), ('2026-02-01T00:00:00Z')$$, 'months without gaps'
);
select is(
  tests.outcome(format('select public.usage_summary(tests.id(''acme''), ''rows_read'', %s)', arguments)), '22023 ' || expected,
  expected
)
from (values
  ($$now() - interval '400 days', now()$$, 'too_many_buckets'),
  ($$'-infinity', now()$$, 'invalid_range'), ($$now(), now()$$, 'invalid_range'), ($$now(), null$$, 'invalid_range'),
  ($$now() - interval '1 day', now(), 'minute'$$, 'invalid_granularity'),
  ($$now() - interval '1 day', now(), 'day', 'user'$$, 'invalid_group_by'),
  ($$now() - interval '500 days', now() - interval '499 days', 'hour'$$, 'hours_not_kept')
) as cases (arguments, expected);

-- What goes.
create table private.usage_events_2020_01 partition of public.usage_events for values from ('2020-01-01') to ('2020-02-01');
alter table private.usage_events_2020_01 enable row level security;
insert into public.usage_events (organization_id, metric, quantity, occurred_at, idempotency_key)
values
  (tests.id('acme'), 'rows_read', 1, '2020-01-05', 'old'),
  -- of a month without a partition: maintenance stood still
  (tests.id('acme'), 'rows_read', 1, '2020-02-05', 'old, too'),
  (tests.id('acme'), 'rows_read', 1, date_trunc('month', now(), 'UTC') - interval '13 months', 'kept');
select is(private.drop_usage_partitions(), 1, 'months are dropped after thirteen');
select results_eq(
  $$select idempotency_key from private.usage_events_default where organization_id = tests.id('acme')$$, $$values ('kept')$$,
  'and what had no partition goes at the same age'
);
select ok(
  to_regclass('private.usage_events_2020_01') is null and exists (select from public.usage_events), 'and no others'
);

create temporary table kept as select count(*) as hours from public.usage_hours where organization_id <> tests.id('acme');
delete from public.organizations where id = tests.id('acme');
select private.delete_purged_usage();
select is(
  (select count(*) from public.usage_events where organization_id = tests.id('acme'))
    + (select count(*) from public.usage_hours where organization_id = tests.id('acme'))
    + (select count(*) from public.usage_days where organization_id = tests.id('acme'))
    + (select count(*) from private.usage_keys where organization_id = tests.id('acme'))
    + (select count(*) from private.request_log where organization_id = tests.id('acme'))
    + (select count(*) from private.purged_usage),
  0::bigint, 'usage goes with its organization'
);

select * from finish();
rollback;
