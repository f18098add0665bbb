-- Promise: whatever order events are delivered, tickets drawn, objects fetched and results stored in, the last word
-- of Stripe is what stays.
begin;
\ir support/tenants.psql
\ir support/billing.psql
select plan(23);

-- Three changes at Stripe, each with an event that is worked on beside the others: its ticket is drawn after the
-- change, then the object is fetched as it is at that moment, then stored. All ways in which these twelve steps can
-- follow each other, told apart by what the database sees of them.
create temporary table orders as
with recursive walk (progress, changes, drawn, tickets, fetched, stored) as (
  select array[0, 0, 0], 0, 0, array[0, 0, 0], array[0, 0, 0], array[]::integer[]
  union
  select
    progress[:event - 1] || progress[event] + 1 || progress[event + 1:],
    changes + (progress[event] = 0)::integer,
    drawn + (progress[event] = 1)::integer,
    case when progress[event] = 1 then tickets[:event - 1] || drawn + 1 || tickets[event + 1:] else tickets end,
    case when progress[event] = 2 then fetched[:event - 1] || changes || fetched[event + 1:] else fetched end,
    case when progress[event] = 3 then stored || event else stored end
  from walk, generate_series(1, 3) as event
  where progress[event] < 4 and (progress[event] > 0 or changes = event - 1)
)
select row_number() over () as id, tickets, fetched, stored from walk where progress = array[4, 4, 4];

create function tests.billing() returns text
language sql
as $$
  select jsonb_build_array(
    (select jsonb_agg(to_jsonb(subscriptions) - 'updated_at' order by stripe_subscription_id) from public.subscriptions
     where organization_id = tests.id('acme')),
    (select jsonb_agg(to_jsonb(subscription_items) order by stripe_item_id) from public.subscription_items
     where organization_id = tests.id('acme')),
    (select jsonb_agg(to_jsonb(invoices) - 'updated_at' order by stripe_invoice_id) from public.invoices
     where organization_id = tests.id('acme')),
    (select state from private.billing_state(tests.id('acme')))
  )::text
$$;

-- What there is after these objects were stored in this order, which leaves no trace.
create function tests.after(p_objects jsonb[], p_tickets bigint[]) returns text
language plpgsql
as $$
declare
  result text;
begin
  for n in 1 .. cardinality(p_objects) loop
    perform private.apply_stripe_object(p_tickets[n], p_objects[n]);
  end loop;
  result := tests.billing();
  raise exception using errcode = 'TEST0';
exception when sqlstate 'TEST0' then
  return result;
end
$$;

create temporary table histories (name text, states jsonb[]);
insert into histories values
  ('a trial becomes a plan, whose payment then fails', array[
    tests.subscription('sub_1', jsonb_build_object('status', 'trialing', 'trial_end', tests.at('1 day'))),
    tests.subscription('sub_1'),
    tests.subscription('sub_1', '{"status": "past_due"}')
  ]),
  ('a payment fails, is made good, and fails again', array[
    tests.subscription('sub_1', '{"status": "past_due"}'),
    tests.subscription('sub_1'),
    tests.subscription('sub_1', '{"status": "past_due"}')
  ]),
  ('an upgrade, more seats, and canceled at the end of the period', array[
    tests.subscription('sub_1'),
    tests.subscription('sub_1', '{"items": [{"id": "si_2", "price_id": "price_by_seat", "quantity": 5}]}'),
    tests.subscription('sub_1', jsonb_build_object('cancel_at_period_end', true, 'cancel_at', tests.at('20 days'),
      'items', '[{"id": "si_2", "price_id": "price_by_seat", "quantity": 8}, {"id": "si_3", "price_id": "price_more", "quantity": 2}]'::jsonb))
  ]),
  ('canceled at the end, resumed, and paused, within one second', array[
    tests.subscription('sub_1', jsonb_build_object('cancel_at', tests.at('20 days'))),
    tests.subscription('sub_1'),
    tests.subscription('sub_1', '{"pause_collection": {"behavior": "void", "resumes_at": null}}')
  ]),
  ('bought, changed, and deleted: a late word does not bring it back', array[
    tests.subscription('sub_1', '{"status": "incomplete"}'),
    tests.subscription('sub_1'),
    tests.subscription('sub_1', jsonb_build_object('status', 'canceled', 'ended_at', tests.at('0'), 'canceled_at', tests.at('0')))
  ]),
  ('a subscription that Stripe no longer has', array[
    tests.subscription('sub_1'),
    tests.subscription('sub_1', '{"status": "a status of the year 2030"}'),
    '{"kind": "subscription", "id": "sub_1", "customer_id": "cus_acme", "livemode": false, "deleted": true}'
  ]),
  ('an invoice is drawn up, opened, and paid', array[
    tests.invoice('in_1', '{"status": "draft", "number": null}'),
    tests.invoice('in_1'),
    tests.invoice('in_1', '{"status": "paid", "amount_paid": 2900, "amount_remaining": 0}')
  ]),
  ('a draft is thrown away', array[
    tests.invoice('in_1', '{"status": "draft", "total": 100}'),
    tests.invoice('in_1', '{"status": "draft"}'),
    '{"kind": "invoice", "id": "in_1", "customer_id": "cus_acme", "livemode": false, "deleted": true}'
  ]);

select is((select count(*) from orders), 102::bigint, '5775 orders of twelve steps are 102 to the database');

select is(
  (
    select count(*)
    from orders,
      tests.after(
        array(select states[fetched[event]] from unnest(stored) with ordinality as step (event, n) order by n),
        array(select tickets[event]::bigint from unnest(stored) with ordinality as step (event, n) order by n)
      ) as result
    where result is distinct from alone
  ),
  0::bigint, name
)
from histories, tests.after(states[3:], array[1]) as alone;

-- Several objects, each in its last state: the order in which they are heard of says nothing.
create temporary table sets (name text, objects jsonb[]);
insert into sets values
  ('debts and the subscription that has them', array[
    tests.subscription('sub_1', '{"status": "past_due"}'),
    tests.invoice('in_1', jsonb_build_object('created', tests.at('-9 days'))),
    tests.invoice('in_2', jsonb_build_object('created', tests.at('-12 days'))),
    tests.invoice('in_3', jsonb_build_object('created', tests.at('-40 days'), 'status', 'paid')),
    tests.invoice('in_4', jsonb_build_object('created', tests.at('-50 days'), 'subscription_id', 'sub_2'))
  ]),
  ('two subscriptions that somebody bought at once, one under way, one that ended', array[
    tests.subscription('sub_1', jsonb_build_object('created', tests.at('-1 day'))),
    tests.subscription('sub_2', jsonb_build_object('created', tests.at('-1 day')), 'price_by_seat'),
    tests.subscription('sub_3', jsonb_build_object('created', tests.at('0'), 'status', 'incomplete')),
    tests.subscription('sub_4', jsonb_build_object('created', tests.at('0'), 'status', 'canceled')),
    tests.subscription('sub_5', jsonb_build_object('created', tests.at('0'), 'status', 'past_due'))
  ]),
  ('a customer who was deleted, and what Stripe said before', array[
    tests.subscription('sub_1'),
    tests.subscription('sub_2', '{"status": "past_due"}'),
    tests.subscription('sub_3', '{"status": "canceled"}'),
    tests.invoice('in_1'),
    '{"kind": "customer", "id": "cus_acme", "customer_id": "cus_acme", "livemode": false, "deleted": true}'
  ]);
create temporary table permutations as
with recursive permuted (indexes) as (
  select array[]::integer[]
  union all
  select indexes || n from permuted, generate_series(1, 5) as n where n <> all (indexes)
)
select indexes from permuted where cardinality(indexes) = 5;

create temporary table outcomes as
select name, tests.after(
  array(select objects[n] from unnest(indexes) with ordinality as step (n, position) order by position),
  array[1, 2, 3, 4, 5]::bigint[]
) as result
from sets, permutations;

select is((select count(*) from permutations), 120::bigint, 'five objects in every order');
select is(count(distinct result), 1::bigint, name) from outcomes group by name order by name;

-- What the one end is.
select tests.store(objects[n]) from sets, generate_series(1, 5) as n where name ~ 'bought at once';
select results_eq(
  $$select stripe_subscription_id, plan_key from public.subscriptions where is_current and organization_id = tests.id('acme')$$, $$values ('sub_1', 'pro')$$,
  'of two that are paid for the first entitles, and of one second the lower id'
);
select results_eq(
  $$select object_id from public.billing_problems() where problem = 'duplicate_subscription' and organization_id = tests.id('acme') order by 1$$,
  $$values ('sub_2'), ('sub_3'), ('sub_5')$$, 'and operators see the others, which cost somebody money'
);
select is(
  (select count(*) from private.outbox where kind = 'billing.second' and organization_id = tests.id('acme') and done_at is null),
  1::bigint, 'what is paid for twice is asked about, once'
);
select tests.store(tests.subscription('sub_1', jsonb_build_object(
  'created', tests.at('-1 day'), 'cancel_at_period_end', true, 'cancel_at', tests.at('20 days')
)));
select results_eq(
  $$select stripe_subscription_id from public.subscriptions where is_current and organization_id = tests.id('acme')$$, $$values ('sub_2')$$,
  'one that goes on comes before one that ends'
);
select tests.store(tests.subscription('sub_1', jsonb_build_object('created', tests.at('-1 day'))));

-- And of one that lost its items, whose quantity was not told, or that has more than fit on a page.
select tests.store(tests.subscription('sub_4', '{"items": []}'));
select results_eq(
  $$select plan_key, quantity, current_period_end from public.subscriptions where stripe_subscription_id = 'sub_4'$$,
  $$values (null::text, 1, null::timestamptz)$$, 'what has no items is of no plan'
);
select tests.store(tests.subscription('sub_4', jsonb_build_object('items', (
  select jsonb_agg(jsonb_build_object('id', 'si_' || n, 'price_id', 'price_' || n, 'product_id', case n when 150 then 'prod_pro' end))
  from generate_series(1, 250) as n
))));
select results_eq(
  $$select plan_key, quantity, (select count(*) from public.subscription_items as item
      where item.stripe_subscription_id = 'sub_4') from public.subscriptions where stripe_subscription_id = 'sub_4'$$,
  $$values ('pro', 1, 250::bigint)$$, 'of many items the one that is a plan tells, metered ones and unknown ones beside it'
);

-- And of a customer who was deleted.
select tests.store('{"kind": "customer", "id": "cus_acme", "customer_id": "cus_acme", "livemode": false, "deleted": true}');
select is_empty($$select from public.subscriptions
    where organization_id = tests.id('acme') and (status <> 'canceled' or is_current)$$, 'a deleted customer has nothing left');
select tests.store(tests.subscription('sub_6'));
select is_empty($$select from public.subscriptions
    where organization_id = tests.id('acme') and (status <> 'canceled' or is_current)$$, 'whatever is heard of it later');
select is(public.link_stripe_customer(tests.id('acme'), 'cus_again', false), 'cus_again', 'and its organization buys as a new one');
select tests.store(tests.subscription('sub_7', '{"customer_id": "cus_again"}'));
select results_eq(
  $$select stripe_subscription_id from public.subscriptions where is_current and organization_id = tests.id('acme')$$, $$values ('sub_7')$$, 'with a new subscription'
);

select * from finish();
rollback;
