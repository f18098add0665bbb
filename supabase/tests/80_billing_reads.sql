-- Threats: billing that other tenants or the wrong members see; a plan, a price or a subscription that somebody
-- writes themselves; a customer of another organization taken over.
begin;
\ir support/tenants.psql
\ir support/billing.psql
select plan(35);

select tests.store(tests.subscription('sub_1'));
select tests.store(tests.invoice('in_1', '{"lines": [{"description": "Pro", "amount": 2900}]}'));
insert into public.entitlement_overrides (organization_id, key, value, reason)
values (tests.id('acme'), 'seats', 30, 'Agreed on by mail.');

-- who reads
select tests.sign_in('billing');
select results_eq(
  $$select status, plan_key, quantity, is_current from public.subscriptions$$, $$values ('active', 'pro', 1, true)$$,
  'who sees to billing reads the subscription'
);
select results_eq(
  $$select number, total, tax, amount_remaining, lines -> 0 ->> 'description' from public.invoices$$,
  $$values ('NECTAR-1', 2900::bigint, 463::bigint, 2900::bigint, 'Pro')$$, 'and the invoices, in cents'
);
select isnt_empty($$select from public.entitlement_overrides where reason ~ 'mail'$$, 'and what was agreed on');
select tests.sign_in('viewer');
select is_empty($$select from public.subscriptions$$, 'a viewer does not read the subscription');
select is_empty($$select from public.invoices$$, 'or invoices');
select is_empty($$select from public.entitlement_overrides$$, 'or what was agreed on');
select results_eq(
  $$select value, source from public.organization_entitlements where key in ('applications', 'seats') order by key$$,
  $$values (50::bigint, 'plan'), (30, 'override')$$, 'but what the organization may have'
);
select isnt_empty($$select from public.plan_prices where plan_key = 'pro' and unit_amount = 2900$$, 'and what is sold');
select tests.sign_in('outsider');
select is_empty(
  $$select organization_id from public.subscriptions union all select organization_id from public.subscription_items
    union all select organization_id from public.invoices union all select organization_id from public.entitlement_overrides$$,
  'another tenant reads none of it'
);
select is_empty(
  $$select from public.organization_entitlements where organization_id <> tests.id('globex')$$, 'nor what others may have'
);
select is_empty(
  $$select * from private.entitlements_for_members(tests.id('acme'))$$, 'not even by asking the function below'
);
select is(
  tests.outcome($$select public.billing_context(tests.id('acme'))$$), 'denied', 'nor what one buys with'
);

-- who buys
select tests.sign_in('developer');
select is(tests.outcome($$select public.billing_context(tests.id('acme'))$$), 'denied', 'a developer does not');
select tests.sign_in('admin');
select is(tests.outcome($$select public.billing_context(tests.id('acme'))$$), 'yes', 'an administrator does');
select tests.sign_in('owner');
select is(
  public.billing_context(tests.id('acme')) #- '{subscription}',
  jsonb_build_object(
    'organization', jsonb_build_object('id', tests.id('acme'), 'name', 'Acme', 'slug', 'acme-test'),
    'customer_id', 'cus_acme', 'livemode', false, 'state', 'active', 'plan_key', 'pro',
    'seats', '{"used": 7, "limit": 30, "billing": "included"}'::jsonb
  ),
  'an owner learns what a purchase needs'
);
select is(
  public.billing_context(tests.id('acme')) #> '{subscription,items}',
  '[{"id": "si_sub_1", "price_id": "price_pro", "plan_key": "pro", "kind": "plan", "quantity": 1, "metered": false}]'::jsonb,
  'and what is subscribed to'
);

-- who writes: nobody, and what functions do is for servers
select throws_ok(statement, '42501', null, 'not an owner: ' || statement)
from unnest(array[
  $$select public.apply_stripe_object(1, '{}')$$,
  $$select public.apply_stripe_event('{}', 1, '{}')$$,
  $$select public.fail_stripe_event('{}', '')$$,
  $$select public.stripe_ticket()$$,
  $$select public.link_stripe_customer(tests.id('acme'), 'cus_other', false)$$,
  $$select public.stripe_customer(tests.id('acme'))$$,
  $$select public.sync_plan('{}')$$,
  $$select public.billing_problems()$$,
  $$select private.entitlements(tests.id('acme'))$$,
  $$select nextval('private.stripe_tickets')$$
]) as statement;

-- the link
select tests.sign_in('service_role');
select is(
  public.link_stripe_customer(tests.id('acme'), 'cus_second', false), 'cus_acme', 'an organization has one customer: the first'
);
select throws_ok(
  $$select public.link_stripe_customer(tests.id('globex'), 'cus_acme', false)$$, 'PT409',
  'This customer belongs to another organization.', 'a customer has one organization'
);
select is(
  tests.outcome($$select public.link_stripe_customer(tests.id('acme'), 'cus_live', true)$$), 'PT409 wrong_mode',
  'a live key does not work with a test customer'
);
select is(
  tests.outcome($$select public.link_stripe_customer(gen_random_uuid(), 'cus_x', false)$$), 'PT404 organization_not_found',
  'nobody is the customer of nothing'
);
select is_empty($$select * from public.stripe_customer(tests.id('globex'))$$, 'who never bought is no customer');

-- in time
select tests.become_postgres();
delete from public.memberships where user_id = tests.id('billing');
update public.organizations set closed_at = now() where id = tests.id('acme');
update public.memberships set active = false where organization_id = tests.id('acme');
select tests.sign_in('owner');
select is_empty(
  $$select organization_id from public.subscriptions union all select organization_id from public.organization_entitlements
    where organization_id = tests.id('acme') and value > 0$$, 'a closed organization shows nothing'
);
select tests.become_postgres();
-- What the one before is told at Stripe when the organization is closed.
select tests.store(tests.subscription('sub_1', jsonb_build_object('cancel_at_period_end', true, 'cancel_at', tests.at('20 days'))));
delete from private.outbox where kind = 'billing.renewal';
select tests.store(tests.subscription('sub_late'));
select results_eq(
  $$select organization_id from private.outbox where kind = 'billing.renewal'$$, $$values (tests.id('acme'))$$,
  'what is bought for it on a page that was open before is not renewed'
);
select results_eq(
  $$delete from public.organizations where id = tests.id('acme') returning 1$$, array[1], 'it is purged with its billing'
);
select results_eq(
  $$select payload from private.outbox where kind = 'billing.customer_left' and organization_id = tests.id('acme')$$,
  $$values ('{"customer_id": "cus_acme", "livemode": false}'::jsonb)$$, 'and Stripe is told, or it would charge for ever'
);

select * from finish();
rollback;
