-- Promise: usage is read by those who may, in their own organization, and written by servers through ingest_usage alone.
begin;
\ir support/tenants.psql
select plan(24);

-- Rollups run one at a time: this file's are not beside another's.
select pg_advisory_xact_lock(hashtextextended('nectar.roll_up_usage', 0));
select tests.sign_in('service_role');
select results_eq(
  $$select ingested.* from unnest(array['acme', 'globex']) as name, public.ingest_usage(
      tests.id(name), '[{"idempotency_key": "rolled up", "metric": "rows_read", "quantity": 5}]') as ingested$$,
  $$values (1, 0, '[]'::jsonb), (1, 0, '[]')$$, 'servers write'
);
select tests.become_postgres();
select private.roll_up_usage();
select tests.sign_in('service_role');
select * from public.ingest_usage(tests.id('acme'), '[{"idempotency_key": "tail", "metric": "rows_read", "quantity": 2}]');

select tests.become_postgres();
create function tests.used_as(p_name text) returns numeric[]
language plpgsql
as $$
declare
  answer numeric[];
begin
  perform tests.sign_in(p_name);
  answer := array[
    (select count(*) from public.usage_events), (select count(*) from public.usage_hours),
    (select count(*) from public.usage_days), (select count(*) from private.usage_tail),
    (select sum(quantity) from public.usage_summary(tests.id('acme'), 'rows_read', now() - interval '1 hour', now()))
  ];
  perform tests.become_postgres();
  return answer;
end
$$;
select is(tests.used_as(name), array[2, 1, 1, 1, 7]::numeric[], name || ' reads the usage of their own organization')
from unnest(array['owner', 'admin', 'developer', 'billing', 'viewer']) as name;
select is(tests.used_as('outsider'), array[1, 1, 1, 0, 0]::numeric[], 'an outsider reads their own, and nothing of acme');
select is(tests.used_as('auditor'), array[0, 0, 0, 0, 0]::numeric[], 'a role without usage.read reads none');
select is(tests.used_as('nobody'), array[0, 0, 0, 0, 0]::numeric[], 'nor does nobody');

select tests.sign_in('anon');
select is(tests.outcome(statement), 'denied', 'anon: ' || statement)
from unnest(array[
  'select from public.usage_events', 'select from public.usage_hours', 'select from public.usage_days',
  'select from public.organization_limits',
  $$select public.usage_summary(tests.id('acme'), 'rows_read', now() - interval '1 hour', now())$$
]) as statement;

select tests.sign_in('owner');
select is(tests.outcome(statement), 'denied', 'an owner: ' || statement)
from unnest(array[
  $$select public.ingest_usage(tests.id('acme'), '[]')$$,
  $$select private.ingest_usage(tests.id('acme'), '[]')$$,
  $$select private.roll_up_usage()$$,
  $$insert into public.usage_events (organization_id, metric, quantity, occurred_at, idempotency_key)
    values (tests.id('acme'), 'rows_read', 1, now(), 'mine')$$,
  'delete from public.usage_events', 'update public.usage_hours set quantity = 0',
  'update public.usage_days set quantity = 0', 'select from private.usage_keys'
]) as statement;

select tests.sign_in('owner');
select public.close_organization(tests.id('acme'));
select tests.sign_in('service_role');
select is(
  tests.outcome($$select public.ingest_usage(tests.id('acme'), '[]')$$), 'PT409 organization_closed',
  'a closed organization uses nothing'
);
select is(
  tests.outcome($$select public.ingest_usage(tests.id('no such'), '[]')$$), 'PT404 organization_not_found',
  'nor one that is not there'
);

select * from finish();
rollback;
