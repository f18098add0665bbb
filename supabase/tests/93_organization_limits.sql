-- Promise: one view says what an organization may use, has used, and where that leads, to those who may read usage.
begin;
\ir support/tenants.psql
select plan(12);

update public.entitlement_keys set default_value = 100 where key = 'api_requests.per_month';
update public.entitlement_overrides set value = 3 where organization_id = tests.id('acme') and key = 'seats';
select private.ingest_usage(tests.id('acme'), '[{"idempotency_key": "a", "metric": "api_requests", "quantity": 79}]');

create function tests.limits_of(p_metric text) returns text
language sql
as $$
  select concat_ws(' ', maximum, used, remaining, state) from public.organization_limits
  where organization_id = tests.id('acme') and metric = p_metric
$$;

select tests.sign_in('viewer');
select is(tests.limits_of('api_requests'), '100 79 21 ok', 'what is ingested counts');
select results_eq(
  $$select period_start, period_end from public.organization_limits where organization_id = tests.id('acme') and metric = 'api_requests'$$,
  $$select date_trunc('month', now(), 'UTC'), date_trunc('month', now(), 'UTC') + interval '1 month'$$, 'in this month'
);
select ok(
  (select projected between 79 and 79 * 744 from public.organization_limits
   where organization_id = tests.id('acme') and metric = 'api_requests'), 'a month that goes on like this ends at least there'
);
select is(tests.limits_of('seats'), '3 7 0 exceeded', 'members are counted');
select is(
  (select count(*) from public.organization_limits where organization_id = tests.id('globex')), 0::bigint,
  'nothing of another organization'
);
select tests.sign_in('auditor');
select is((select count(*) from public.organization_limits), 0::bigint, 'nothing without usage.read');

select tests.become_postgres();
select private.ingest_usage(tests.id('acme'), '[{"idempotency_key": "b", "metric": "api_requests", "quantity": 1}]');
select tests.sign_in('owner');
select is(tests.limits_of('api_requests'), '100 80 20 near', 'four fifths are near');
select tests.become_postgres();
select private.ingest_usage(tests.id('acme'), '[{"idempotency_key": "c", "metric": "api_requests", "quantity": 20}]');
select tests.sign_in('owner');
select is(tests.limits_of('api_requests'), '100 100 0 reached', 'all is reached');
select tests.become_postgres();
select private.ingest_usage(tests.id('acme'), jsonb_build_array(
  '{"idempotency_key": "d", "metric": "api_requests", "quantity": 20}'::jsonb,
  jsonb_build_object('idempotency_key', 'e', 'metric', 'api_requests', 'quantity', 1000, 'occurred_at', now() - interval '33 days')
));
select tests.sign_in('owner');
select is(tests.limits_of('api_requests'), '100 120 0 exceeded', 'more is said; what belongs to last month is not of this one');

select tests.become_postgres();
update public.entitlement_keys set default_value = null where key = 'api_requests.per_month';
select private.entitlements_changed(null);
select tests.sign_in('owner');
select is(tests.limits_of('api_requests'), '120 unlimited', 'no limit is said to be none');

select tests.sign_in('service_role');
select ok(exists (select from public.organization_limits where organization_id = tests.id('acme')), 'servers read it too');
select tests.become_postgres();
select is_empty(
  $$select counter from private.limit_gauges where to_regprocedure(format('private.%I(uuid)', counter)) is null$$,
  'every gauge has its counter'
);

select * from finish();
rollback;
