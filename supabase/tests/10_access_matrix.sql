-- Promise: for every table, role and operation it is written here who may. A table that is not here fails.
begin;
\ir support/tenants.psql

-- One statement per table and operation, on acme's rows; who succeeds; and what becomes of everybody else who
-- is signed in. anon is denied everything.
insert into public.invitations (organization_id, email, role_key, token_hash, invited_by)
values (tests.id('acme'), 'invited@example.com', 'viewer', 'hash', tests.id('owner'));
insert into public.ownership_offers (organization_id, from_user_id, to_user_id)
values (tests.id('acme'), tests.id('owner'), tests.id('admin'));

insert into public.plan_limits (plan_key, key, value) values ('free', 'applications', 3);
insert into public.plan_prices (stripe_price_id, plan_key, interval, currency, unit_amount, livemode)
values ('price_1', 'free', 'month', 'eur', 0, false);
insert into private.stripe_customers (organization_id, customer_id, livemode) values (tests.id('acme'), 'cus_1', false);
insert into public.subscriptions (stripe_subscription_id, organization_id, status, currency, livemode, created)
values ('sub_1', tests.id('acme'), 'active', 'eur', false, now());
insert into public.subscription_items (stripe_item_id, organization_id, stripe_subscription_id, stripe_price_id)
values ('si_1', tests.id('acme'), 'sub_1', 'price_1');
insert into public.invoices
  (stripe_invoice_id, organization_id, status, currency, total, subtotal, amount_due, amount_paid, amount_remaining, livemode, created)
values ('in_1', tests.id('acme'), 'paid', 'eur', 900, 900, 900, 900, 0, false, now());
insert into public.database_connections (id, organization_id, name, engine, host, database_name, username)
values (tests.id('shop'), tests.id('acme'), 'Shop', 'postgres', 'db.example.com', 'shop', 'reader');
-- Twice: what is rolled up, and what is not yet.
select private.ingest_usage(tests.id('acme'), '[{"idempotency_key": "one", "metric": "rows_read", "quantity": 1}]');
select pg_advisory_xact_lock(hashtextextended('nectar.roll_up_usage', 0));
select private.roll_up_usage();
select private.ingest_usage(tests.id('acme'), '[{"idempotency_key": "two", "metric": "rows_read", "quantity": 1}]');

select tests.add_key('rocket-key', 'rocket', 'owner');
insert into private.request_log (organization_id, request_id, occurred_at, quantity, application_id, key_id, environment, metric)
values (tests.id('acme'), 'one', now(), 1, tests.id('rocket'), tests.id('rocket-key'), 'test', 'api_requests');

create temporary table probes (table_name text, operation text, allowed text, otherwise text, statement text);
insert into probes values
  ('api_keys', 'select', 'owner admin developer service_role', 'none',
    $$select from public.api_keys where organization_id = tests.id('acme')$$),
  ('api_keys', 'insert', '', 'denied',
    $$insert into public.api_keys (organization_id, application_id, name, environment, scopes, prefix, last_four)
      values (tests.id('acme'), tests.id('rocket'), 'New', 'live', '{applications.read}', 'nk_live_', '0000')$$),
  ('api_keys', 'update', '', 'denied', $$update public.api_keys set name = 'Renamed'$$),
  ('api_keys', 'delete', '', 'denied', $$delete from public.api_keys$$),

  ('api_key_secrets', 'select', '', 'denied', $$select from private.api_key_secrets$$),
  ('api_key_secrets', 'insert', '', 'denied', $$insert into private.api_key_secrets (hash, key_id) values ('', tests.id('rocket-key'))$$),
  ('api_key_secrets', 'update', '', 'denied', $$update private.api_key_secrets set valid_until = 'infinity'$$),
  ('api_key_secrets', 'delete', '', 'denied', $$delete from private.api_key_secrets$$),

  ('api_key_counters', 'select', '', 'denied', $$select from private.api_key_counters$$),
  ('api_key_counters', 'insert', '', 'denied', $$insert into private.api_key_counters (key_id) values (tests.id('rocket-key'))$$),
  ('api_key_counters', 'update', '', 'denied', $$update private.api_key_counters set tat = 'epoch'$$),
  ('api_key_counters', 'delete', '', 'denied', $$delete from private.api_key_counters$$),

  ('entitlement_versions', 'select', '', 'denied', $$select from private.entitlement_versions$$),
  ('entitlement_versions', 'insert', '', 'denied', $$insert into private.entitlement_versions (version) values (1)$$),
  ('entitlement_versions', 'update', '', 'denied', $$update private.entitlement_versions set version = 1$$),
  ('entitlement_versions', 'delete', '', 'denied', $$delete from private.entitlement_versions$$),

  ('request_log', 'select', 'owner admin developer billing viewer service_role', 'none',
    $$select from private.request_log where organization_id = tests.id('acme')$$),
  ('request_log', 'insert', '', 'denied',
    $$insert into private.request_log (organization_id, request_id) values (tests.id('acme'), 'new')$$),
  ('request_log', 'update', '', 'denied', $$update private.request_log set quantity = 0$$),
  ('request_log', 'delete', '', 'denied', $$delete from private.request_log$$),

  ('usage_counters', 'select', '', 'denied', $$select from private.usage_counters$$),
  ('usage_counters', 'insert', '', 'denied', $$insert into private.usage_counters (organization_id, metric) values (tests.id('acme'), 'new')$$),
  ('usage_counters', 'update', '', 'denied', $$update private.usage_counters set used = 0$$),
  ('usage_counters', 'delete', '', 'denied', $$delete from private.usage_counters$$),

  ('usage_leases', 'select', '', 'denied', $$select from private.usage_leases$$),
  ('usage_leases', 'insert', '', 'denied', $$insert into private.usage_leases (organization_id) values (tests.id('acme'))$$),
  ('usage_leases', 'update', '', 'denied', $$update private.usage_leases set granted = 0$$),
  ('usage_leases', 'delete', '', 'denied', $$delete from private.usage_leases$$),

  ('applications', 'select', 'owner admin developer viewer auditor service_role', 'none',
    $$select from public.applications where organization_id = tests.id('acme')$$),
  ('applications', 'insert', 'owner admin developer service_role', 'denied',
    $$insert into public.applications (organization_id, name, slug) values (tests.id('acme'), 'New', 'new')$$),
  ('applications', 'update', 'owner admin developer service_role', 'none',
    $$update public.applications set name = 'Renamed' where id = tests.id('rocket')$$),
  ('applications', 'delete', 'owner admin developer service_role', 'none',
    $$delete from public.applications where id = tests.id('rocket')$$),

  ('database_connections', 'select', 'owner admin developer viewer service_role', 'none',
    $$select from public.database_connections where organization_id = tests.id('acme')$$),
  ('database_connections', 'insert', '', 'denied',
    $$insert into public.database_connections (organization_id, name, engine, host, database_name, username)
      values (tests.id('acme'), 'New', 'postgres', 'new.example.com', 'shop', 'reader')$$),
  ('database_connections', 'update', '', 'denied', $$update public.database_connections set host = 'evil.example.com'$$),
  ('database_connections', 'delete', 'owner admin developer service_role', 'none',
    $$delete from public.database_connections where id = tests.id('shop')$$),

  ('entitlement_keys', 'select', 'owner admin developer billing viewer auditor outsider nobody service_role', 'none',
    $$select from public.entitlement_keys$$),
  ('entitlement_keys', 'insert', '', 'denied',
    $$insert into public.entitlement_keys (key, unit, description) values ('anything', 'count', 'Anything.')$$),
  ('entitlement_keys', 'update', '', 'denied', $$update public.entitlement_keys set default_value = null$$),
  ('entitlement_keys', 'delete', '', 'denied', $$delete from public.entitlement_keys$$),

  ('entitlement_overrides', 'select', 'owner admin billing service_role', 'none',
    $$select from public.entitlement_overrides where organization_id = tests.id('acme')$$),
  ('entitlement_overrides', 'insert', 'service_role', 'denied',
    $$insert into public.entitlement_overrides (organization_id, key, value, reason)
      values (tests.id('acme'), 'applications', 100, 'Agreed on.')$$),
  ('entitlement_overrides', 'update', 'service_role', 'denied', 
    $$update public.entitlement_overrides set value = 100 where organization_id = tests.id('acme')$$),
  ('entitlement_overrides', 'delete', 'service_role', 'denied',
    $$delete from public.entitlement_overrides where organization_id = tests.id('acme')$$),

  ('organization_entitlements', 'select', 'owner admin developer billing viewer auditor service_role', 'none',
    $$select from public.organization_entitlements where organization_id = tests.id('acme')$$),

  ('plans', 'select', 'owner admin developer billing viewer auditor outsider nobody service_role', 'none',
    $$select from public.plans$$),
  ('plans', 'insert', '', 'denied', $$insert into public.plans (key, name) values ('own', 'Own')$$),
  ('plans', 'update', '', 'denied', $$update public.plans set grace_days = 365$$),
  ('plans', 'delete', '', 'denied', $$delete from public.plans$$),

  ('plan_limits', 'select', 'owner admin developer billing viewer auditor outsider nobody service_role', 'none',
    $$select from public.plan_limits$$),
  ('plan_limits', 'insert', '', 'denied',
    $$insert into public.plan_limits (plan_key, key, value) values ('free', 'seats', null)$$),
  ('plan_limits', 'update', '', 'denied', $$update public.plan_limits set value = null$$),
  ('plan_limits', 'delete', '', 'denied', $$delete from public.plan_limits$$),

  ('plan_prices', 'select', 'owner admin developer billing viewer auditor outsider nobody service_role', 'none',
    $$select from public.plan_prices$$),
  ('plan_prices', 'insert', '', 'denied',
    $$insert into public.plan_prices (stripe_price_id, plan_key, interval, currency, unit_amount, livemode)
      values ('price_2', 'free', 'month', 'eur', 0, false)$$),
  ('plan_prices', 'update', '', 'denied', $$update public.plan_prices set unit_amount = 0$$),
  ('plan_prices', 'delete', '', 'denied', $$delete from public.plan_prices$$),

  ('subscriptions', 'select', 'owner admin billing service_role', 'none',
    $$select from public.subscriptions where organization_id = tests.id('acme')$$),
  ('subscriptions', 'insert', '', 'denied',
    $$insert into public.subscriptions (stripe_subscription_id, organization_id, status, currency, livemode, created)
      values ('sub_2', tests.id('acme'), 'active', 'eur', false, now())$$),
  ('subscriptions', 'update', '', 'denied', $$update public.subscriptions set status = 'active'$$),
  ('subscriptions', 'delete', '', 'denied', $$delete from public.subscriptions$$),

  ('subscription_items', 'select', 'owner admin billing service_role', 'none',
    $$select from public.subscription_items where organization_id = tests.id('acme')$$),
  ('subscription_items', 'insert', '', 'denied',
    $$insert into public.subscription_items (stripe_item_id, organization_id, stripe_subscription_id, stripe_price_id)
      values ('si_2', tests.id('acme'), 'sub_1', 'price_1')$$),
  ('subscription_items', 'update', '', 'denied', $$update public.subscription_items set quantity = 100$$),
  ('subscription_items', 'delete', '', 'denied', $$delete from public.subscription_items$$),

  ('invoices', 'select', 'owner admin billing service_role', 'none',
    $$select from public.invoices where organization_id = tests.id('acme')$$),
  ('invoices', 'insert', '', 'denied',
    $$insert into public.invoices
        (stripe_invoice_id, organization_id, status, currency, total, subtotal, amount_due, amount_paid, amount_remaining, livemode, created)
      values ('in_2', tests.id('acme'), 'paid', 'eur', 0, 0, 0, 0, 0, false, now())$$),
  ('invoices', 'update', '', 'denied', $$update public.invoices set status = 'paid'$$),
  ('invoices', 'delete', '', 'denied', $$delete from public.invoices$$),

  ('retained_invoices', 'select', '', 'denied', $$select from private.retained_invoices$$),
  ('retained_invoices', 'insert', '', 'denied',
    $$insert into private.retained_invoices (organization_id, stripe_invoice_id, invoice) values (tests.id('acme'), 'in_3', '{}')$$),
  ('retained_invoices', 'update', '', 'denied', $$update private.retained_invoices set invoice = '{}'$$),
  ('retained_invoices', 'delete', '', 'denied', $$delete from private.retained_invoices$$),

  ('stripe_customers', 'select', '', 'denied', $$select from private.stripe_customers$$),
  ('stripe_customers', 'insert', '', 'denied',
    $$insert into private.stripe_customers (organization_id, customer_id, livemode)
      values (tests.id('globex'), 'cus_2', false)$$),
  ('stripe_customers', 'update', '', 'denied', $$update private.stripe_customers set organization_id = tests.id('globex')$$),
  ('stripe_customers', 'delete', '', 'denied', $$delete from private.stripe_customers$$),

  ('stripe_events', 'select', '', 'denied', $$select from private.stripe_events$$),
  ('stripe_events', 'insert', '', 'denied',
    $$insert into private.stripe_events (id, type, created, livemode, status)
      values ('evt_1', 'invoice.paid', now(), false, 'applied')$$),
  ('stripe_events', 'update', '', 'denied', $$update private.stripe_events set status = 'applied'$$),
  ('stripe_events', 'delete', '', 'denied', $$delete from private.stripe_events$$),

  ('stripe_objects', 'select', '', 'denied', $$select from private.stripe_objects$$),
  ('stripe_objects', 'insert', '', 'denied',
    $$insert into private.stripe_objects (object_id, organization_id, kind, ticket)
      values ('sub_1', tests.id('acme'), 'subscription', 1)$$),
  ('stripe_objects', 'update', '', 'denied', $$update private.stripe_objects set ticket = 0$$),
  ('stripe_objects', 'delete', '', 'denied', $$delete from private.stripe_objects$$),

  ('stripe_reconcile', 'select', '', 'denied', $$select from private.stripe_reconcile$$),
  ('stripe_reconcile', 'insert', '', 'denied', $$insert into private.stripe_reconcile (list) values ('invoices')$$),
  ('stripe_reconcile', 'update', '', 'denied', $$update private.stripe_reconcile set after = null$$),
  ('stripe_reconcile', 'delete', '', 'denied', $$delete from private.stripe_reconcile$$),

  ('invitations', 'select', 'owner admin service_role', 'none',
    $$select id from public.invitations where organization_id = tests.id('acme')$$),
  ('invitations', 'insert', '', 'denied',
    $$insert into public.invitations (organization_id, email, role_key, token_hash)
      values (tests.id('acme'), 'new@example.com', 'viewer', 'hash')$$),
  ('invitations', 'update', '', 'denied', $$update public.invitations set role_key = 'owner'$$),
  ('invitations', 'delete', 'service_role', 'denied',
    $$delete from public.invitations where organization_id = tests.id('acme')$$),

  ('ownership_offers', 'select', 'owner admin developer billing viewer service_role', 'none',
    $$select from public.ownership_offers where organization_id = tests.id('acme')$$),
  ('ownership_offers', 'insert', '', 'denied',
    $$insert into public.ownership_offers (organization_id, from_user_id, to_user_id)
      values (tests.id('acme'), tests.id('owner'), tests.id('viewer'))$$),
  ('ownership_offers', 'update', '', 'denied',
    $$update public.ownership_offers set to_user_id = tests.id('viewer')$$),
  ('ownership_offers', 'delete', 'service_role', 'denied',
    $$delete from public.ownership_offers where organization_id = tests.id('acme')$$),

  ('audit_log', 'select', 'owner admin service_role', 'none',
    $$select from public.audit_log where organization_id = tests.id('acme')$$),
  ('audit_log', 'insert', '', 'denied',
    $$insert into public.audit_log (organization_id, seq, occurred_at, actor_kind, action, previous_hash, hash)
      values (tests.id('acme'), 1, now(), 'user', 'forged', '', '')$$),
  ('audit_log', 'update', '', 'denied', $$update public.audit_log set action = 'nothing'$$),
  ('audit_log', 'delete', '', 'denied', $$delete from public.audit_log$$),

  ('audit_chains', 'select', '', 'denied', $$select from private.audit_chains$$),
  ('audit_chains', 'insert', '', 'denied',
    $$insert into private.audit_chains (organization_id) values (gen_random_uuid())$$),
  ('audit_chains', 'update', '', 'denied', $$update private.audit_chains set seq = 0$$),
  ('audit_chains', 'delete', '', 'denied', $$delete from private.audit_chains$$),

  ('connection_secrets', 'select', '', 'denied', $$select from private.connection_secrets$$),
  ('connection_secrets', 'insert', '', 'denied',
    $$insert into private.connection_secrets (organization_id, connection_id, data_key_id, version, ciphertext, nonce)
      values (tests.id('acme'), tests.id('shop'), gen_random_uuid(), 1, '', '')$$),
  ('connection_secrets', 'update', '', 'denied', $$update private.connection_secrets set version = 2$$),
  ('connection_secrets', 'delete', '', 'denied', $$delete from private.connection_secrets$$),

  ('data_keys', 'select', '', 'denied', $$select from private.data_keys$$),
  ('data_keys', 'insert', '', 'denied',
    $$insert into private.data_keys (organization_id, id, master_key_id, wrapped, nonce)
      values (tests.id('acme'), gen_random_uuid(), 'mine', '', '')$$),
  ('data_keys', 'update', '', 'denied', $$update private.data_keys set master_key_id = 'mine'$$),
  ('data_keys', 'delete', '', 'denied', $$delete from private.data_keys$$),

  ('token_buckets', 'select', '', 'denied', $$select from private.token_buckets$$),
  ('token_buckets', 'insert', '', 'denied',
    $$insert into private.token_buckets (name, full_at) values ('mine', now())$$),
  ('token_buckets', 'update', '', 'denied', $$update private.token_buckets set full_at = now()$$),
  ('token_buckets', 'delete', '', 'denied', $$delete from private.token_buckets$$),

  ('outbox', 'select', '', 'denied', $$select from private.outbox$$),
  ('outbox', 'insert', '', 'denied',
    $$insert into private.outbox (kind, organization_id) values ('organization.purged', tests.id('acme'))$$),
  ('outbox', 'update', '', 'denied', $$update private.outbox set done_at = now()$$),
  ('outbox', 'delete', '', 'denied', $$delete from private.outbox$$),

  ('maintenance_tasks', 'select', '', 'denied', $$select from private.maintenance_tasks$$),
  ('maintenance_tasks', 'insert', '', 'denied', $$insert into private.maintenance_tasks (name) values ('anything')$$),
  ('maintenance_tasks', 'update', '', 'denied', $$update private.maintenance_tasks set position = 0$$),
  ('maintenance_tasks', 'delete', '', 'denied', $$delete from private.maintenance_tasks$$),

  ('memberships', 'select', 'owner admin developer billing viewer auditor service_role', 'none',
    $$select from public.memberships where organization_id = tests.id('acme')$$),
  ('memberships', 'insert', 'service_role', 'denied',
    $$insert into public.memberships (organization_id, user_id, role_key)
      values (tests.id('acme'), tests.id('nobody'), 'viewer')$$),
  ('memberships', 'update', 'service_role', 'denied',
    $$update public.memberships set role_key = 'billing'
      where organization_id = tests.id('acme') and user_id = tests.id('spare')$$),
  ('memberships', 'delete', 'service_role', 'denied',
    $$delete from public.memberships
      where organization_id = tests.id('acme') and user_id = tests.id('spare')$$),

  ('organizations', 'select', 'owner admin developer billing viewer auditor service_role', 'none',
    $$select from public.organizations where id = tests.id('acme')$$),
  ('organizations', 'insert', 'service_role', 'denied',
    $$insert into public.organizations (name, slug) values ('New', 'new-organization')$$),
  ('organizations', 'update', 'owner admin service_role', 'none',
    $$update public.organizations set name = 'Renamed' where id = tests.id('acme')$$),
  ('organizations', 'delete', 'service_role', 'denied',
    $$delete from public.organizations where id = tests.id('acme')$$),

  ('permissions', 'select', 'owner admin developer billing viewer auditor outsider nobody service_role', 'none',
    $$select from public.permissions$$),
  ('permissions', 'insert', '', 'denied',
    $$insert into public.permissions (key, description) values ('all.things', 'Everything.')$$),
  ('permissions', 'update', '', 'denied', $$update public.permissions set description = 'Nothing.'$$),
  ('permissions', 'delete', '', 'denied', $$delete from public.permissions$$),

  ('roles', 'select', 'owner admin developer billing viewer auditor service_role', 'none',
    $$select from public.roles where organization_id = tests.id('acme')$$),
  ('roles', 'insert', 'owner admin service_role', 'denied',
    $$insert into public.roles (organization_id, key, name) values (tests.id('acme'), 'custom:new', 'New')$$),
  ('roles', 'update', 'owner admin service_role', 'none',
    $$update public.roles set name = 'Renamed' where organization_id = tests.id('acme')$$),
  ('roles', 'delete', 'owner admin service_role', 'none',
    $$delete from public.roles where organization_id = tests.id('acme') and key = 'custom:unused'$$),

  ('role_permissions', 'select', 'owner admin developer billing viewer auditor service_role', 'none',
    $$select from public.role_permissions where organization_id = tests.id('acme')$$),
  ('role_permissions', 'insert', 'owner admin service_role', 'denied',
    $$insert into public.role_permissions (organization_id, role_key, permission)
      values (tests.id('acme'), 'custom:unused', 'applications.read')$$),
  ('role_permissions', 'update', '', 'denied', $$update public.role_permissions set permission = 'roles.manage'$$),
  ('role_permissions', 'delete', 'owner admin service_role', 'none',
    $$delete from public.role_permissions where organization_id = tests.id('acme')$$),

  ('usage_events', 'select', 'owner admin developer billing viewer service_role', 'none',
    $$select from public.usage_events where organization_id = tests.id('acme')$$),
  ('usage_events', 'insert', '', 'denied',
    $$insert into public.usage_events (organization_id, metric, quantity, occurred_at, idempotency_key)
      values (tests.id('acme'), 'rows_read', 1, now(), 'new')$$),
  ('usage_events', 'update', '', 'denied', $$update public.usage_events set quantity = 1$$),
  ('usage_events', 'delete', '', 'denied', $$delete from public.usage_events$$),

  ('usage_hours', 'select', 'owner admin developer billing viewer service_role', 'none',
    $$select from public.usage_hours where organization_id = tests.id('acme')$$),
  ('usage_hours', 'insert', '', 'denied',
    $$insert into public.usage_hours (organization_id, metric, hour, quantity, events)
      values (tests.id('acme'), 'rows_read', now(), 1, 1)$$),
  ('usage_hours', 'update', '', 'denied', $$update public.usage_hours set quantity = 0$$),
  ('usage_hours', 'delete', '', 'denied', $$delete from public.usage_hours$$),

  ('usage_days', 'select', 'owner admin developer billing viewer service_role', 'none',
    $$select from public.usage_days where organization_id = tests.id('acme')$$),
  ('usage_days', 'insert', '', 'denied',
    $$insert into public.usage_days (organization_id, metric, day, quantity, events)
      values (tests.id('acme'), 'rows_read', now(), 1, 1)$$),
  ('usage_days', 'update', '', 'denied', $$update public.usage_days set quantity = 0$$),
  ('usage_days', 'delete', '', 'denied', $$delete from public.usage_days$$),

  ('usage_tail', 'select', 'owner admin developer billing viewer service_role', 'none',
    $$select from private.usage_tail where organization_id = tests.id('acme')$$),
  ('usage_tail', 'insert', '', 'denied',
    $$insert into private.usage_tail (organization_id, metric, hour, quantity, events)
      values (tests.id('acme'), 'rows_read', now(), 1, 1)$$),
  ('usage_tail', 'update', '', 'denied', $$update private.usage_tail set quantity = 0$$),
  ('usage_tail', 'delete', '', 'denied', $$delete from private.usage_tail$$),

  ('organization_limits', 'select', 'owner admin developer billing viewer service_role', 'none',
    $$select from public.organization_limits where organization_id = tests.id('acme')$$),

  ('usage_keys', 'select', '', 'denied', $$select from private.usage_keys$$),
  ('usage_keys', 'insert', '', 'denied',
    $$insert into private.usage_keys (organization_id, idempotency_key) values (tests.id('acme'), 'new')$$),
  ('usage_keys', 'update', '', 'denied', $$update private.usage_keys set received_at = now()$$),
  ('usage_keys', 'delete', '', 'denied', $$delete from private.usage_keys$$),

  ('meter_hours', 'select', '', 'denied', $$select from private.meter_hours$$),
  ('meter_hours', 'insert', '', 'denied',
    $$insert into private.meter_hours (organization_id, metric, hour) values (tests.id('acme'), 'rows_read', now())$$),
  ('meter_hours', 'update', '', 'denied', $$update private.meter_hours set hour = now()$$),
  ('meter_hours', 'delete', '', 'denied', $$delete from private.meter_hours$$),

  ('meter_reports', 'select', '', 'denied', $$select from private.meter_reports$$),
  ('meter_reports', 'insert', '', 'denied',
    $$insert into private.meter_reports (organization_id, metric, hour, stripe_subscription_id, quantity)
      values (tests.id('acme'), 'rows_read', now(), 'sub_1', 1)$$),
  ('meter_reports', 'update', '', 'denied', $$update private.meter_reports set quantity = 0$$),
  ('meter_reports', 'delete', '', 'denied', $$delete from private.meter_reports$$),

  ('metered_spans', 'select', '', 'denied', $$select from private.metered_spans$$),
  ('metered_spans', 'insert', '', 'denied',
    $$insert into private.metered_spans (organization_id, metric, stripe_item_id, stripe_subscription_id, starts_at)
      values (tests.id('acme'), 'rows_read', 'si_1', 'sub_1', now())$$),
  ('metered_spans', 'update', '', 'denied', $$update private.metered_spans set ends_at = now()$$),
  ('metered_spans', 'delete', '', 'denied', $$delete from private.metered_spans$$),

  ('purged_usage', 'select', '', 'denied', $$select from private.purged_usage$$),
  ('purged_usage', 'insert', '', 'denied', $$insert into private.purged_usage values (tests.id('acme'))$$),
  ('purged_usage', 'update', '', 'denied', $$update private.purged_usage set organization_id = tests.id('acme')$$),
  ('purged_usage', 'delete', '', 'denied', $$delete from private.purged_usage$$),

  ('limit_gauges', 'select', '', 'denied', $$select from private.limit_gauges$$),
  ('limit_gauges', 'insert', '', 'denied', $$insert into private.limit_gauges values ('anything', 'anything')$$),
  ('limit_gauges', 'update', '', 'denied', $$update private.limit_gauges set counter = 'anything'$$),
  ('limit_gauges', 'delete', '', 'denied', $$delete from private.limit_gauges$$),

  ('limit_alerts', 'select', '', 'denied', $$select from private.limit_alerts$$),
  ('limit_alerts', 'insert', '', 'denied',
    $$insert into private.limit_alerts (organization_id, metric, period_start, threshold)
      values (tests.id('acme'), 'rows_read', now(), 80)$$),
  ('limit_alerts', 'update', '', 'denied', $$update private.limit_alerts set threshold = 100$$),
  ('limit_alerts', 'delete', '', 'denied', $$delete from private.limit_alerts$$),

  ('users', 'select', 'owner admin developer billing viewer service_role', 'none',
    $$select from public.users where id = tests.id('spare')$$),
  ('users', 'insert', '', 'denied', $$insert into public.users (id) values (gen_random_uuid())$$),
  ('users', 'update', 'service_role', 'none',
    $$update public.users set name = 'Renamed' where id = tests.id('spare')$$),
  ('users', 'delete', '', 'denied', $$delete from public.users where id = tests.id('spare')$$);

create temporary table actors as
select name from unnest(array[
  'anon', 'owner', 'admin', 'developer', 'billing', 'viewer', 'auditor', 'outsider', 'nobody', 'service_role'
]) as name;

-- Signing in changes the role, so it stands before the statement and not in one query with it.
create function tests.outcome_as(p_actor text, p_statement text) returns text
language plpgsql
as $$
declare
  result text;
begin
  perform tests.sign_in(p_actor);
  result := tests.outcome(p_statement);
  perform tests.become_postgres();
  return result;
end
$$;

select plan((select count(*)::integer from probes, actors) + 3);

select is(
  tests.outcome_as(actors.name, statement),
  case
    when actors.name = any (string_to_array(allowed, ' ')) then 'yes'
    when actors.name = 'anon' then 'denied'
    when actors.name = 'service_role' then 'denied'
    else otherwise
  end,
  format('%s: %s %s', actors.name, operation, table_name)
)
from probes, actors
order by table_name, operation, actors.name;

select set_eq(
  $$select relname::text, operation
    from pg_class, unnest(array['select', 'insert', 'update', 'delete']) as operation
    where relnamespace in ('public'::regnamespace, 'private'::regnamespace) and relkind in ('r', 'p', 'v', 'm', 'f')
      and not relispartition
      -- nobody writes to a view of which PostgreSQL cannot tell where
      and (operation = 'select' or relkind <> 'v' or pg_relation_is_updatable(pg_class.oid, false) <> 0)$$,
  'select table_name, operation from probes',
  'every table is in the matrix, with every operation'
);

select is_empty(
  $$select relname from pg_class
    where relnamespace in ('public'::regnamespace, 'private'::regnamespace) and relkind in ('r', 'p')
      and not relrowsecurity$$,
  'every table has row security'
);

select is_empty(
  $$select relname from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'v'
      and not coalesce(reloptions @> array['security_invoker=true'], false)$$,
  'every view reads with the rights of its caller'
);

select * from finish();
rollback;
