-- Promises: an event takes effect once, however often it comes; one that fails is kept, tried again, and replayed;
-- one that is not ours does nothing.
begin;
\ir support/tenants.psql
\ir support/billing.psql
select plan(43);

create function tests.deliver(p_event jsonb, p_object jsonb) returns text
language sql
as $$
  select public.apply_stripe_event(p_event, (select ticket from public.stripe_ticket(p_event ->> 'id')), p_object) ->> 'outcome'
$$;
create function tests.ledger(p_id text) returns text
language sql
as $$ select concat_ws(' ', status, outcome, attempts) from private.stripe_events where id = p_id $$;
create function tests.status() returns text
language sql
as $$ select status from public.subscriptions where stripe_subscription_id = 'sub_1' $$;

select tests.sign_in('service_role');

-- once
select is((select status from public.stripe_ticket('evt_1')), null, 'the ledger does not know what never came');
select is(tests.deliver(tests.event('evt_1'), tests.subscription('sub_1')), 'applied', 'an event is applied');
select is((select status from public.stripe_ticket('evt_1')), 'applied', 'and the ledger says so before the next fetch');
select is(
  tests.deliver(tests.event('evt_1'), tests.subscription('sub_1', '{"status": "canceled"}')), 'duplicate',
  'delivered again it is a duplicate'
);
select tests.become_postgres();
select is(tests.status(), 'active', 'which changes nothing');
select is(tests.ledger('evt_1'), 'applied applied 1', 'and is not counted');
select results_eq(
  $$select type, livemode, api_version, object_id, payload = tests.event('evt_1') from private.stripe_events where id = 'evt_1'$$,
  $$values ('customer.subscription.updated', false, '2026-10-28', 'sub_1', true)$$, 'the event is kept as it came'
);

-- what is stored already
select tests.sign_in('service_role');
select is(
  public.apply_stripe_event(
    tests.event('evt_2'), (select ticket from public.stripe_ticket('evt_2')), tests.subscription('sub_1')
  ),
  '{"outcome": "applied", "changed": false}', 'the same state again is applied and changes nothing'
);
select is(
  public.apply_stripe_object((select ticket from public.stripe_ticket()), tests.subscription('sub_1', '{"status": "past_due"}')),
  '{"outcome": "applied", "changed": true}', 'a reconciliation learns what it changed'
);
select is(
  public.apply_stripe_object((select ticket from public.stripe_ticket()), tests.subscription('sub_1', '{"status": "past_due"}')) ->> 'changed',
  'false', 'and what was right'
);

-- not ours
select is(
  tests.deliver(tests.event('evt_3'), '{"kind": "none"}'), 'ignored', 'a type that we do not know is ignored'
);
select is(
  tests.deliver(tests.event('evt_4'), tests.subscription('sub_9', '{"customer_id": "cus_stranger", "metadata": {"organization_id": "x"}}')),
  'unlinked', 'a stranger''s is nobody''s, whatever it says'
);
select is(
  tests.deliver(tests.event('evt_5', 'sub_9', '{"livemode": true}'), tests.subscription('sub_9', '{"livemode": true}')),
  'wrong_mode', 'live money does not reach a test customer'
);
select is(
  tests.deliver(tests.event('evt_6', 'sub_9', '{"livemode": true}'), tests.subscription('sub_9')),
  'wrong_mode', 'nor an event of the other mode than its object'
);
select is(
  tests.deliver(tests.event('evt_7', 'sub_9'), tests.subscription('sub_9') - 'livemode'), 'wrong_mode',
  'nor one that does not say'
);
select tests.become_postgres();
select is_empty($$select from public.subscriptions where stripe_subscription_id = 'sub_9'$$, 'none of these is stored');
select is(tests.ledger('evt_' || n), expected, 'but each is recorded: ' || expected)
from (values (3, 'ignored ignored 1'), (4, 'ignored unlinked 1'), (5, 'ignored wrong_mode 1')) as recorded (n, expected);

-- A link that is stored later.
select public.link_stripe_customer(tests.id('globex'), 'cus_stranger', false);
select is(
  tests.deliver(tests.event('evt_4'), tests.subscription('sub_9', '{"customer_id": "cus_stranger"}')), 'applied',
  'an event that was nobody''s is somebody''s when it is replayed'
);
select is(
  (select organization_id from public.subscriptions where stripe_subscription_id = 'sub_9'), tests.id('globex'),
  'by the link that was stored'
);

-- failure
create function tests.fail(p_id text, p_error text) returns text
language sql
as $$ select status || ' ' || attempts from public.fail_stripe_event(tests.event(p_id), p_error) $$;
select tests.sign_in('service_role');
select throws_ok(
  format('select public.apply_stripe_event(%L, 1000, %L)', tests.event('evt_8'), tests.subscription('sub_1', '{"currency": "EURO"}')),
  '23514', null, 'what cannot be stored fails'
);
select throws_ok(
  format('select public.apply_stripe_event(%L, 1000, %L)', tests.event('evt_8'), tests.subscription('sub_1') - 'items'),
  '22023', null, 'and so does a subscription that lost its items on the way'
);
select is((select status from public.stripe_ticket('evt_8')), null, 'leaving no claim behind');
select is(tests.fail('evt_8', 'Stripe did not answer.'), 'failed 1', 'the failure is kept');
select is((select status from public.stripe_ticket('evt_8')), 'failed', 'so that a retry goes on');
select is(tests.fail('evt_8', 'error'), 'failed ' || n, 'attempt ' || n) from generate_series(2, 3) as n;
select tests.fail('evt_8', 'error') from generate_series(4, 11);
select is(tests.fail('evt_8', 'the last'), 'dead 12', 'after twelve attempts it is dead');
select is(tests.fail('evt_8', 'the last'), 'dead 13', 'and stays so');
select results_eq(
  $$select id, payload ->> 'id' from public.stripe_events_to_replay(p_dead => true, p_limit => 1000) where id ~ '^evt_.$'$$, $$values ('evt_8', 'evt_8')$$,
  'with all that a replay needs'
);
select results_eq(
  $$select problem, object_id from public.billing_problems() where object_id ~ '^evt_.$'$$, $$values ('dead_event', 'evt_8')$$,
  'where operators see it'
);
select results_eq(
  $$select status, outcome, events from public.stripe_events_by_status() where status in ('dead', 'ignored')$$,
  $$values ('dead', null, 1::bigint), ('ignored', 'ignored', 1), ('ignored', 'wrong_mode', 3)$$, 'counted'
);
select tests.fail('evt_9', 'error');
select results_eq(
  $$select id from public.stripe_events_to_replay(p_since => now(), p_limit => 1000) where id ~ '^evt_.$'$$,
  $$values ('evt_8'), ('evt_9')$$, 'what failed since then is replayed'
);
select results_eq(
  $$select id from public.stripe_events_to_replay(array['evt_1', 'evt_8', 'evt_9'], p_limit => 1, p_after => 'evt_1')$$,
  $$values ('evt_8')$$, 'page by page'
);
select results_eq(
  $$select id from public.stripe_events_to_replay(array['evt_1', 'evt_9'])$$, $$values ('evt_1'), ('evt_9')$$, 'or by name'
);
select is(tests.deliver(tests.event('evt_8'), tests.subscription('sub_1')), 'applied', 'a dead event that succeeds is applied');
select is(tests.fail('evt_8', 'too late'), 'applied 14', 'and a failure beside that success undoes nothing');
select is_empty($$select * from public.billing_problems() where object_id ~ '^evt_.$'$$, 'then nobody has to look any more');

-- forgetting
select tests.become_postgres();
update private.stripe_events set received_at = now() - interval '31 days' where id in ('evt_1', 'evt_9');
update private.stripe_events set received_at = now() - interval '91 days' where id in ('evt_2', 'evt_3');
select is(private.forget_stripe_events(), 4, 'the ledger forgets');
select results_eq(
  $$select object_id from public.billing_problems() where problem = 'dead_event' and object_id ~ '^evt_.$'$$, $$values ('evt_9')$$,
  'and what failed before Stripe gave it up is shown to operators, however often it was tried'
);
select results_eq(
  $$select id, payload is null from private.stripe_events where id in ('evt_1', 'evt_2', 'evt_3', 'evt_9') order by id$$,
  $$values ('evt_1', true), ('evt_9', false)$$, 'payloads after 30 days, events after 90, and nothing that failed'
);
select is(private.forget_stripe_events(), 0, 'once');

select * from finish();
rollback;
