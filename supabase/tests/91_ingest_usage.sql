-- Promise: of each event it is said what became of it; one that is sent again is counted once, however it was sent.
begin;
\ir support/tenants.psql
select plan(53);

insert into public.api_keys (id, organization_id, application_id, name, environment, scopes, prefix, last_four)
select tests.id(key), tests.id(organization), tests.id(application), 'Key', 'live', array['applications.read'], 'nk_live_a', 'abcd'
from (values ('acme key', 'acme', 'rocket'), ('globex key', 'globex', 'reactor')) as made (key, organization, application)
on conflict do nothing;

create function tests.ingested(p_events jsonb) returns text
language sql
as $$
  select concat_ws(' ', accepted, duplicates,
    (select string_agg(concat_ws(':', entry ->> 'index', entry ->> 'reason'), ' ') from jsonb_array_elements(rejected) as entry))
  from public.ingest_usage(tests.id('acme'), p_events)
$$;

-- One event, which is right but for what is said.
create function tests.event(p_difference jsonb) returns jsonb
language sql
as $$
  select jsonb_build_array(
    jsonb_build_object('idempotency_key', gen_random_uuid(), 'metric', 'rows_read', 'quantity', 1) || p_difference
  )
$$;

select tests.sign_in('service_role');
select is(tests.ingested(tests.event(difference)), expected, format('%s: %s', expected, left(difference::text, 70)))
from (values
  ('1 0', '{}'::jsonb),
  ('1 0', '{"quantity": 1000000000000}'), ('1 0', '{"metric": "a.b_c.d1"}'),
  ('1 0', '{"occurred_at": null, "application_id": null, "api_key_id": null, "dimensions": null}'),
  ('1 0', jsonb_build_object('application_id', tests.id('rocket'), 'api_key_id', tests.id('acme key'))),
  ('1 0', jsonb_build_object('occurred_at', now() - interval '35 days', 'dimensions', '{"region": "eu"}'::jsonb)),
  ('1 0', jsonb_build_object('occurred_at', now() + interval '1 hour')),
  ('1 0', jsonb_build_object('idempotency_key', repeat('k', 128))),
  ('0 0 0:invalid_idempotency_key', jsonb_build_object('idempotency_key', repeat('k', 129))),
  ('0 0 0:invalid_idempotency_key', '{"idempotency_key": ""}'),
  ('0 0 0:invalid_idempotency_key', '{"idempotency_key": null}'),
  ('0 0 0:invalid_idempotency_key', '{"idempotency_key": {"a": 1}}'),
  ('0 0 0:invalid_metric', '{"metric": "Rows"}'), ('0 0 0:invalid_metric', '{"metric": "rows read"}'),
  ('0 0 0:invalid_metric', '{"metric": ""}'), ('0 0 0:invalid_metric', '{"metric": "rows\n"}'),
  ('0 0 0:invalid_metric', jsonb_build_object('metric', repeat('m', 65))),
  ('0 0 0:invalid_quantity', '{"quantity": 0}'), ('0 0 0:invalid_quantity', '{"quantity": -1}'),
  ('0 0 0:invalid_quantity', '{"quantity": 1.5}'), ('0 0 0:invalid_quantity', '{"quantity": 1000000000001}'),
  ('0 0 0:invalid_quantity', '{"quantity": 1e300}'), ('0 0 0:invalid_quantity', '{"quantity": null}'),
  ('0 0 0:invalid_quantity', '{"quantity": true}'), ('0 0 0:invalid_quantity', '{"quantity": "many"}'),
  ('0 0 0:invalid_quantity', '{"quantity": "5"}'), ('0 0 0:invalid_quantity', '{"quantity": " 5 "}'),
  ('0 0 0:invalid_quantity', '{"quantity": [5]}'), ('0 0 0:invalid_quantity', '{"quantity": 5.5e0}'),
  ('1 0', '{"quantity": 1e3}'),
  ('0 0 0:invalid_occurred_at', '{"occurred_at": "yesterday evening"}'),
  ('0 0 0:invalid_occurred_at', '{"occurred_at": {}}'),
  ('0 0 0:too_old', jsonb_build_object('occurred_at', now() - interval '35 days 1 second')),
  ('0 0 0:too_old', '{"occurred_at": "0001-01-01T00:00:00Z"}'),
  ('0 0 0:in_the_future', jsonb_build_object('occurred_at', now() + interval '61 minutes')),
  ('0 0 0:in_the_future', '{"occurred_at": "infinity"}'),
  ('0 0 0:unknown_application', jsonb_build_object('application_id', tests.id('reactor'))),
  ('0 0 0:unknown_application', '{"application_id": "rocket"}'),
  ('0 0 0:unknown_api_key', jsonb_build_object('api_key_id', tests.id('globex key'))),
  ('0 0 0:invalid_dimensions', '{"dimensions": []}'), ('0 0 0:invalid_dimensions', '{"dimensions": "eu"}'),
  ('0 0 0:invalid_dimensions', jsonb_build_object('dimensions', jsonb_build_object('long', repeat('x', 1100))))
) as cases (expected, difference);

select is(
  tests.ingested('[null, 5, "x", [], [{"idempotency_key": "in a list", "metric": "rows_read", "quantity": 1}], {}]'),
  '0 0 0:not_an_object 1:not_an_object 2:not_an_object 3:not_an_object 4:not_an_object 5:invalid_idempotency_key',
  'what is no event is named by its place'
);
select is(tests.ingested('[]'), '0 0', 'nothing is nothing');
select is(
  tests.ingested('[{"idempotency_key": "one", "metric": "rows_read", "quantity": 1}, {"idempotency_key": "one", "metric": "rows_read", "quantity": 9}, {"idempotency_key": "two", "metric": "rows_read", "quantity": 1}]'),
  '2 1', 'twice in a batch is once, the first'
);
select is(
  tests.ingested(jsonb_build_array(
    jsonb_build_object('idempotency_key', 'one', 'metric', 'rows_written', 'quantity', 7, 'occurred_at', now() - interval '32 days'),
    jsonb_build_object('idempotency_key', 'three', 'metric', 'rows_read', 'quantity', 1)
  )),
  '1 1', 'sent again it is a duplicate, in another month and with other figures too'
);
select results_eq(
  $$select accepted, duplicates from public.ingest_usage(tests.id('globex'), '[{"idempotency_key": "one", "metric": "rows_read", "quantity": 1}]')$$,
  $$values (1, 0)$$, 'another organization has keys of its own'
);
select is(tests.outcome(format('select public.ingest_usage(tests.id(''acme''), %L)', events)), '22023 ' || expected, expected)
from (values
  ('{}'::jsonb, 'invalid_events'), ('null', 'invalid_events'),
  ((select jsonb_agg(n) from generate_series(1, 20001) as n), 'too_many_events')
) as cases (events, expected);

select is(
  tests.outcome($$select public.ingest_usage(tests.id('acme'), '[{"idempotency_key": "a\u0000"}]')$$), '22P05',
  'a null character is none to PostgreSQL, which reads the batch before it is ours: all of it is refused'
);

select tests.become_postgres();
-- The promise about time: as long as an event would be taken, its key is there.
update private.usage_keys set received_at = now() - interval '36 days' where idempotency_key = 'two';
update private.usage_keys set received_at = now() - interval '36 days 2 hours' where idempotency_key = 'three';
select private.delete_usage_keys();
select results_eq(
  $$select idempotency_key from private.usage_keys where idempotency_key in ('two', 'three')$$, $$values ('two' collate "C")$$,
  'a key is kept until an event as old as it can be is refused'
);
select is(
  (select sum(quantity) from public.usage_events where organization_id = tests.id('acme')),
  (select sum(quantity) from private.usage_tail where organization_id = tests.id('acme')),
  'what is written is in the tail'
);

select * from finish();
rollback;
