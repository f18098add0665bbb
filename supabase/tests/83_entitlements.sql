-- Promise: what an organization may have follows from stored rows and the clock, to the microsecond, and from nothing
-- that has to run.
begin;
\ir support/tenants.psql
\ir support/billing.psql

create function tests.may_have(p_key text) returns text
language sql
as $$
  select concat_ws(' ', coalesce(value::text, 'no limit'), source)
  from private.entitlements(tests.id('acme'), array[p_key])
$$;

-- A subscription to pro, with some of its columns otherwise; what comes of it; when the clock changes that.
create temporary table cases (description text, columns jsonb, state text, applications text, changes_at timestamptz);
insert into cases values
  ('active', '{}', 'active', '50 plan', 'infinity'),
  ('trialing', jsonb_build_object('status', 'trialing', 'trial_end', now() + interval '1 us'), 'active', '50 plan', now() + interval '1 us'),
  ('trialing without an end', '{"status": "trialing"}', 'active', '50 plan', 'infinity'),
  ('trialing until now: late with the first payment', jsonb_build_object('status', 'trialing', 'trial_end', now()),
    'grace', '50 plan', now() + interval '7 days'),
  ('trialing until long ago', jsonb_build_object('status', 'trialing', 'trial_end', now() - interval '7 days'), 'suspended', '3 default', 'infinity'),
  ('past due since now', jsonb_build_object('status', 'past_due', 'past_due_since', now()), 'grace', '50 plan', now() + interval '7 days'),
  ('past due, at the last moment', jsonb_build_object('status', 'past_due', 'past_due_since', now() - interval '7 days' + interval '1 us'),
    'grace', '50 plan', now() + interval '1 us'),
  ('past due for too long', jsonb_build_object('status', 'past_due', 'past_due_since', now() - interval '7 days'), 'suspended', '3 default', 'infinity'),
  ('unpaid', '{"status": "unpaid"}', 'suspended', '3 default', 'infinity'),
  ('incomplete', '{"status": "incomplete"}', 'none', '3 default', 'infinity'),
  ('paused after a trial', '{"status": "paused"}', 'none', '3 default', 'infinity'),
  ('of a status that nobody knows', '{"status": "hibernating"}', 'none', '3 default', 'infinity'),
  ('canceled in a moment', jsonb_build_object('cancel_at', now() + interval '1 us'), 'active', '50 plan', now() + interval '1 us'),
  ('canceled now', jsonb_build_object('cancel_at', now()), 'none', '3 default', 'infinity'),
  ('at the end of its last period', jsonb_build_object('cancel_at_period_end', true, 'current_period_end', now()), 'none', '3 default', 'infinity'),
  ('before the end of its last period', jsonb_build_object('cancel_at_period_end', true, 'current_period_end', now() + interval '1 us'),
    'active', '50 plan', now() + interval '1 us'),
  ('at the end of a period that another follows', jsonb_build_object('current_period_end', now()), 'active', '50 plan', 'infinity'),
  ('paused by hand', '{"pause_behavior": "void"}', 'none', '3 default', 'infinity'),
  ('paused by hand, until in a moment', jsonb_build_object('pause_behavior', 'void', 'pause_resumes_at', now() + interval '1 us'),
    'none', '3 default', now() + interval '1 us'),
  ('paused by hand, until now', jsonb_build_object('pause_behavior', 'void', 'pause_resumes_at', now()), 'active', '50 plan', 'infinity'),
  ('given away for a while', '{"pause_behavior": "mark_uncollectible"}', 'active', '50 plan', 'infinity'),
  ('paid for later', '{"pause_behavior": "keep_as_draft"}', 'active', '50 plan', 'infinity'),
  ('of a plan that nobody knows', '{"plan_key": null}', 'active', '3 default', 'infinity');

create function tests.with_columns(p_columns jsonb) returns text
language plpgsql
as $$
declare
  result text;
begin
  update public.subscriptions set (
    status, plan_key, current_period_end, trial_end, cancel_at, cancel_at_period_end, pause_behavior, pause_resumes_at,
    past_due_since
  ) = (
    select status, plan_key, current_period_end, trial_end, cancel_at, cancel_at_period_end, pause_behavior,
      pause_resumes_at, past_due_since
    from jsonb_populate_record(subscriptions, p_columns)
  )
  where organization_id = tests.id('acme');
  result := concat_ws(
    ', ', private.subscription_state(tests.id('acme')), tests.may_have('applications'),
    private.entitlements_valid_until(tests.id('acme'))
  );
  raise exception using errcode = 'TEST0';
exception when sqlstate 'TEST0' then
  return result;
end
$$;

select plan((select count(*)::integer from cases) + 42);

select is(private.subscription_state(tests.id('acme')), 'none', 'who never bought has what is free');
select is(tests.may_have('applications'), '3 default', 'by default');
select is(private.entitlements_valid_until(tests.id('acme')), 'infinity', 'for ever');

select tests.store(tests.subscription('sub_1'));
select is(tests.with_columns(columns), concat_ws(', ', state, applications, changes_at), description) from cases;

select is(tests.store(tests.subscription('sub_1', '{"status": "canceled"}')), 'applied', 'Stripe cancels');
select is(private.subscription_state(tests.id('acme')) || ' ' || tests.may_have('applications'), 'none 3 default', 'at the next statement it is over');
select tests.store(tests.subscription('sub_1', '{"status": "incomplete_expired"}'));
select is(private.subscription_state(tests.id('acme')), 'none', 'a first payment that never came is nothing');

-- late since the oldest debt, whatever became of the others
select tests.store(tests.subscription('sub_1', '{"status": "past_due"}'));
select is(private.subscription_state(tests.id('acme')), 'suspended', 'without an invoice, late since the period began');
select tests.store(tests.invoice('in_1', jsonb_build_object('created', tests.at('-2 days'))));
select is(private.subscription_state(tests.id('acme')), 'grace', 'with one, since that');
select tests.store(tests.invoice('in_2', jsonb_build_object('created', tests.at('-60 days'))));
select is(private.subscription_state(tests.id('acme')), 'suspended', 'with two, since the older');
select tests.store(tests.invoice('in_2', jsonb_build_object('created', tests.at('-60 days'), 'due_date', tests.at('-1 day'))));
select is(private.subscription_state(tests.id('acme')), 'grace', 'or since it was due');
select public.sync_plan(jsonb_build_object('key', 'pro', 'name', 'Pro', 'grace_days', 0, 'limits', '[{"key": "applications", "value": 50}]'::jsonb));
select is(private.subscription_state(tests.id('acme')), 'suspended', 'a plan may give no grace');
select public.sync_plan('{"key": "pro", "name": "Pro", "limits": [{"key": "applications", "value": 50, "overage": true}]}');
select is(tests.may_have('seats'), '5 default', 'what a plan does not name is as in the free one');
select results_eq(
  $$select overage from private.entitlements(tests.id('acme'), array['applications', 'seats']) order by key$$,
  $$values (true), (false)$$, 'a limit may be soft'
);
select tests.store(tests.subscription('sub_1', '{"status": "unpaid"}'));
select results_eq(
  $$select value, overage from private.entitlements(tests.id('acme'), array['applications'])$$,
  $$values (3::bigint, false)$$, 'not for who does not pay'
);

-- add-ons
select tests.store(tests.subscription('sub_1', '{"items": [
  {"id": "si_1", "price_id": "price_pro", "quantity": 1},
  {"id": "si_2", "price_id": "price_more", "quantity": 3},
  {"id": "si_3", "price_id": "price_unknown", "product_id": "prod_more", "quantity": 1},
  {"id": "si_4", "price_id": "price_unknown", "product_id": "prod_unknown", "quantity": 100}
]}'));
select is(tests.may_have('applications'), '90 addon', 'add-ons add to the plan, times their quantity, by price or product');
select results_eq(
  $$select problem, object_id from public.billing_problems() where organization_id = tests.id('acme')$$, $$values ('unknown_price', 'price_unknown')$$,
  'what belongs to nothing is pointed out'
);
select is(tests.with_columns('{"status": "unpaid"}'), 'suspended, 3 default, infinity', 'and are withheld with it');
select is(tests.with_columns('{"plan_key": null}'), 'active, 43 addon, infinity', 'but not for a plan that nobody knows');
insert into public.plan_limits (plan_key, key, value) values ('more_applications', 'seats', null);
select is(tests.may_have('seats'), 'no limit addon', 'an add-on may lift a limit');
delete from public.plan_limits where plan_key = 'more_applications' and key = 'seats';
insert into public.entitlement_keys (key, unit, default_value, description) values ('sso', 'feature', 0, 'Single sign-on.');
insert into public.plan_limits (plan_key, key, value) values ('more_applications', 'sso', 1);
select is(tests.may_have('sso'), '1 addon', 'a feature that is bought four times is there once');
update public.plan_limits set value = 9223372036854775807 where plan_key = 'more_applications' and key = 'applications';
select is(tests.may_have('applications'), '9223372036854775807 addon', 'no sum is too large');
update public.plan_limits set value = 10 where plan_key = 'more_applications' and key = 'applications';

-- seats that are bought
select tests.store(tests.subscription('sub_1', '{"items": [{"id": "si_1", "price_id": "price_by_seat", "quantity": 12}]}'));
select is(tests.may_have('seats'), '12 plan', 'seats are as many as were bought');
select is(tests.may_have('applications'), 'no limit plan', 'beside what the plan grants');
select tests.store(tests.subscription('sub_1', '{"items": [{"id": "si_1", "price_id": "price_by_seat", "quantity": 1000}]}'));
select is(tests.may_have('seats'), '100 plan', 'up to what the plan allows');

-- overrides
insert into public.entitlement_overrides (organization_id, key, value, reason, expires_at) values
  (tests.id('acme'), 'seats', null, 'Agreed on.', null),
  (tests.id('acme'), 'applications', 7, 'Agreed on.', now() + interval '1 us'),
  (tests.id('acme'), 'sso', 1, 'Agreed on.', now());
select is(tests.may_have('seats'), 'no limit override', 'what was agreed on comes before the plan');
select is(tests.may_have('applications'), '7 override', 'also when it is less');
select is(tests.may_have('sso'), '0 default', 'until it expires');
select is(private.entitlements_valid_until(tests.id('acme')), now() + interval '1 us', 'which is known beforehand');
select is(tests.with_columns('{"status": "unpaid"}'), 'suspended, 7 override, ' || now() + interval '1 us', 'it holds for who does not pay, too');
select isnt_empty(
  $$select from public.audit_log where action = 'entitlement_overrides.insert' and after ->> 'reason' = 'Agreed on.'$$, 'and leaves a trace'
);

-- organizations that are closed, or none; keys that are none
select is(private.entitlement(tests.id('acme'), 'seats'), null, 'no limit is null');
update public.organizations set closed_at = now() where id = tests.id('acme');
select is(tests.may_have(key), '0 closed', 'a closed organization has nothing: ' || key) from unnest(array['seats', 'applications']) as key;
select is(private.entitlement(gen_random_uuid(), 'seats'), 0::bigint, 'nor has one that is not');
select throws_ok(
  $$select private.entitlement(tests.id('acme'), 'nothing')$$, '22023', 'There is no entitlement nothing.', 'a key that is none is a mistake'
);
update public.organizations set closed_at = null where id = tests.id('acme');

-- Whoever keeps an answer sees that it is no longer one.
create function tests.raises_version(p_statement text) returns text
language plpgsql
as $$
declare
  acme bigint := private.entitlement_version(tests.id('acme'));
  globex bigint := private.entitlement_version(tests.id('globex'));
begin
  execute p_statement;
  return concat_ws(' ',
    case when private.entitlement_version(tests.id('acme')) > acme then 'acme' end,
    case when private.entitlement_version(tests.id('globex')) > globex then 'globex' end
  );
end
$$;
select is(tests.raises_version(statement), raised, coalesce(nullif(raised, ''), 'nobody') || ': ' || statement)
from (values
  ($$select tests.store(tests.subscription('sub_1', '{"status": "past_due"}'))$$, 'acme'),
  ($$update public.entitlement_overrides set value = 9 where organization_id = tests.id('acme')$$, 'acme'),
  ($$delete from public.entitlement_overrides where organization_id = tests.id('acme')$$, 'acme'),
  ($$update public.organizations set closed_at = now() where id = tests.id('globex')$$, 'globex'),
  ($$update public.organizations set name = 'Renamed' where id = tests.id('acme')$$, ''),
  ($$select public.sync_plan('{"key": "pro", "name": "Professional"}')$$, 'acme globex')
) as changes (statement, raised);

select is_empty(
  $$select tgrelid::regclass from pg_trigger as raises
    where tgfoid = 'private.report_changed_entitlements'::regproc and exists (
      select from pg_trigger as audits
      where audits.tgrelid = raises.tgrelid and audits.tgname ~ '^audit_' and audits.tgname < raises.tgname
    )$$,
  'the version is locked before the audit log''s chain, as by whoever closes the organization'
);

select * from finish();
rollback;
