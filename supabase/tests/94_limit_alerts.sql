-- Promise: who pays hears once a month that 80, and that 100 % are used; metered usage is reported once.
begin;
\ir support/tenants.psql
select plan(20);

-- Rollups run one at a time: this file's are not beside another's.
select pg_advisory_xact_lock(hashtextextended('nectar.roll_up_usage', 0));
update public.entitlement_keys set default_value = 100 where key = 'api_requests.per_month';
select private.entitlements_changed(null);
create function tests.use(p_quantity bigint, p_organization text default 'acme') returns void
language sql
as $$
  select private.ingest_usage(tests.id(p_organization), jsonb_build_array(jsonb_build_object(
    'idempotency_key', gen_random_uuid(), 'metric', 'api_requests', 'quantity', p_quantity
  )))
$$;
-- How many alerts a run adds, of the two organizations that are watched.
create function tests.alerts() returns bigint
language plpgsql
as $$
declare
  before bigint;
begin
  select count(*) into before from private.limit_alerts where organization_id in (tests.id('acme'), tests.id('globex'));
  perform private.alert_limits();
  return (select count(*) from private.limit_alerts where organization_id in (tests.id('acme'), tests.id('globex'))) - before;
end
$$;
create function tests.reports() returns bigint
language plpgsql
as $$
declare
  before bigint;
begin
  select count(*) into before from private.outbox where kind = 'stripe.meter' and organization_id = tests.id('acme');
  perform private.report_meters();
  return (select count(*) from private.outbox where kind = 'stripe.meter' and organization_id = tests.id('acme')) - before;
end
$$;

select tests.use(79);
select is(tests.alerts(), 0::bigint, 'below 80 % nobody hears anything');
select tests.use(1);
select is(tests.alerts(), 1::bigint, '80 %');
select is(tests.alerts(), 0::bigint, 'once');
select results_eq(
  $$select payload ->> 'user_id', payload ->> 'metric', payload ->> 'threshold', payload ->> 'used', payload ->> 'quota'
    from private.outbox where kind = 'limits.alert' and organization_id = tests.id('acme') order by 1$$,
  $$select tests.id(name)::text, 'api_requests', '80', '80', '100' from unnest(array['owner', 'admin', 'billing']) as name order by 1$$,
  'those who manage billing, each in a message'
);
select tests.use(10);
select is(tests.alerts(), 0::bigint, 'once, though it goes on');
select tests.use(10);
select is(tests.alerts(), 1::bigint, '100 %');
select tests.use(500);
select is(tests.alerts(), 0::bigint, 'once');
select tests.use(100, 'globex');
select is(tests.alerts(), 2::bigint, 'from nothing to all: both, for this organization alone');
select is(
  (select count(*) from private.outbox where kind = 'limits.alert' and organization_id = tests.id('globex')), 2::bigint,
  'a message for each'
);

-- The next month.
update private.limit_alerts set period_start = period_start - interval '1 month'
where organization_id in (tests.id('acme'), tests.id('globex'));
select is(tests.alerts(), 4::bigint, 'a new month is told anew');
update private.usage_counters set period_starts_at = period_starts_at - interval '1 month'
where organization_id in (tests.id('acme'), tests.id('globex'));
delete from private.limit_alerts where organization_id in (tests.id('acme'), tests.id('globex'));
select is(tests.alerts(), 0::bigint, 'last month''s counter is none of this month');

-- A lower plan, without a request since.
update private.usage_counters set period_starts_at = period_starts_at + interval '1 month', valid_until = now(), used = 60
where organization_id in (tests.id('acme'), tests.id('globex'));
update public.entitlement_keys set default_value = 70 where key = 'api_requests.per_month';
select is(tests.alerts(), 2::bigint, 'a plan that shrank is heard of');

-- Meters. Whose plan bills more rather than refuses it:
select private.roll_up_usage();
insert into private.metered_spans values (tests.id('acme'), 'api_requests', 'si_1', 'sub_1', now() - interval '10 days');
delete from private.meter_hours where organization_id in (tests.id('acme'), tests.id('globex'));
select private.ingest_usage(tests.id(name), jsonb_build_array(
  jsonb_build_object('idempotency_key', 'm1', 'metric', 'api_requests', 'quantity', 3, 'occurred_at', now() - interval '3 hours'),
  jsonb_build_object('idempotency_key', 'm2', 'metric', 'api_requests', 'quantity', 4, 'occurred_at', date_trunc('hour', now() - interval '3 hours')),
  jsonb_build_object('idempotency_key', 'm3', 'metric', 'rows_read', 'quantity', 5, 'occurred_at', now() - interval '3 hours'),
  jsonb_build_object('idempotency_key', 'm4', 'metric', 'api_requests', 'quantity', 6)
))
from unnest(array['acme', 'globex']) as name;
select is(tests.reports(), 0::bigint, 'what is not rolled up is not reported');
select private.roll_up_usage();
select is(tests.reports(), 1::bigint, 'an hour that is over is one report');
select is(tests.reports(), 0::bigint, 'once');
select results_eq(
  $$select organization_id, payload ->> 'metric', payload ->> 'quantity', (payload ->> 'hour')::timestamptz from private.outbox where kind = 'stripe.meter' and organization_id in (tests.id('acme'), tests.id('globex'))$$,
  $$select tests.id('acme'), 'api_requests', '7', date_trunc('hour', now() - interval '3 hours', 'UTC')$$,
  'of the metered metric of the metered organization'
);
select private.ingest_usage(tests.id('acme'), jsonb_build_array(
  jsonb_build_object('idempotency_key', 'm5', 'metric', 'api_requests', 'quantity', 9, 'occurred_at', now() - interval '3 hours')
));
select private.roll_up_usage();
select is(tests.reports(), 1::bigint, 'what comes late to it is another');
select results_eq(
  $$select payload ->> 'quantity' from private.outbox where kind = 'stripe.meter' and organization_id = tests.id('acme') order by id$$, $$values ('7'), ('9')$$,
  'of what came late alone'
);
select is(
  (select count(distinct payload ->> 'identifier') from private.outbox where kind = 'stripe.meter' and organization_id = tests.id('acme')), 2::bigint,
  'each with its own identifier'
);
select results_eq(
  $$select hour from private.meter_hours where organization_id = tests.id('acme')$$,
  $$select date_trunc('hour', now(), 'UTC')$$, 'the hour that is not over waits'
);

select * from finish();
rollback;
