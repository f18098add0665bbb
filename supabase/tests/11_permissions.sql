-- Promise: each operation asks for one permission. Whoever has that one (and may see the rows) succeeds, and
-- whoever has all others does not.
begin;
\ir support/tenants.psql

insert into public.invitations (organization_id, email, role_key, token_hash)
values (tests.id('acme'), 'invited@example.com', 'viewer', 'hash');
insert into public.ownership_offers (organization_id, from_user_id, to_user_id)
values (tests.id('acme'), tests.id('owner'), tests.id('admin'));

insert into public.subscriptions (stripe_subscription_id, organization_id, status, currency, livemode, created)
values ('sub_1', tests.id('acme'), 'active', 'eur', false, now());
insert into public.subscription_items (stripe_item_id, organization_id, stripe_subscription_id, stripe_price_id)
values ('si_1', tests.id('acme'), 'sub_1', 'price_1');
insert into public.invoices
  (stripe_invoice_id, organization_id, status, currency, total, subtotal, amount_due, amount_paid, amount_remaining, livemode, created)
values ('in_1', tests.id('acme'), 'paid', 'eur', 900, 900, 900, 900, 0, false, now());
insert into public.database_connections (id, organization_id, name, engine, host, database_name, username)
values (tests.id('shop'), tests.id('acme'), 'Shop', 'postgres', 'db.example.com', 'shop', 'reader');
insert into private.data_keys (organization_id, id, master_key_id, wrapped, nonce)
values (tests.id('acme'), tests.id('key'), 'first', '', '');
select private.ingest_usage(tests.id('acme'), '[{"idempotency_key": "one", "metric": "rows_read", "quantity": 1}]');
select pg_advisory_xact_lock(hashtextextended('nectar.roll_up_usage', 0));
select private.roll_up_usage();
select private.ingest_usage(tests.id('acme'), '[{"idempotency_key": "two", "metric": "rows_read", "quantity": 1}]');
insert into private.request_log (organization_id, request_id, occurred_at, quantity, application_id, key_id, environment, metric)
values (tests.id('acme'), 'one', now(), 1, tests.id('rocket'), tests.id('key'), 'live', 'rows_read');

select tests.add_key('rocket-key', 'rocket', 'owner');

create temporary table probes (operation text, needed text, to_see text, otherwise text, statement text);
insert into probes values
  ('read api keys', 'api_keys.read', null, 'none', 'select from public.api_keys'),
  ('create an api key', 'api_keys.manage', null, 'PT404 application_not_found',
    $$select public.create_api_key(tests.id('rocket'), 'New', array['api_keys.manage'])$$),
  ('rename an api key', 'api_keys.manage', null, 'PT404 api_key_not_found',
    $$select public.update_api_key(tests.id('rocket-key'), 'Renamed')$$),
  ('rotate an api key', 'api_keys.manage', 'applications.read', 'PT404 api_key_not_found',
    $$select public.rotate_api_key(tests.id('rocket-key'))$$),
  ('adopt an api key', 'api_keys.manage', 'applications.read', 'PT404 api_key_not_found',
    $$select public.adopt_api_key(tests.id('rocket-key'))$$),
  ('revoke an api key', 'api_keys.manage', null, 'PT404 api_key_not_found',
    $$select public.revoke_api_key(tests.id('rocket-key'))$$),
  ('read applications', 'applications.read', null, 'none', 'select from public.applications'),
  ('create an application', 'applications.write', null, 'denied',
    $$insert into public.applications (organization_id, name, slug) values (tests.id('acme'), 'New', 'new')$$),
  ('change an application', 'applications.write', 'applications.read', 'none',
    $$update public.applications set name = 'Renamed' where organization_id = tests.id('acme')$$),
  ('delete an application', 'applications.write', 'applications.read', 'none',
    $$delete from public.applications where organization_id = tests.id('acme')$$),

  ('read connections', 'connections.read', null, 'none', 'select from public.database_connections'),
  ('add a connection', 'connections.manage', null, 'denied',
    $$select public.create_connection(tests.id('acme'), gen_random_uuid(),
      '{"name": "New", "engine": "mysql", "host": "db.example.com", "database_name": "shop", "username": "reader"}',
      jsonb_build_object('data_key_id', tests.id('key'), 'version', 1, 'ciphertext', '', 'nonce', ''))$$),
  ('change a connection', 'connections.manage', null, 'PT404 connection_not_found',
    $$select public.update_connection(tests.id('shop'), 1, '{"name": "Store"}')$$),
  ('delete a connection', 'connections.manage', 'connections.read', 'none',
    $$delete from public.database_connections where id = tests.id('shop')$$),
  ('have a connection tested', 'connections.manage', null, 'denied',
    $$select public.take_connection_test(tests.id('acme'))$$),

  ('read members', 'members.read', null, 'none',
    $$select from public.memberships where user_id = tests.id('spare')$$),
  ('see members'' profiles', 'members.read', null, 'none', $$select from public.users where id = tests.id('spare')$$),
  ('invite', 'members.manage', null, 'denied',
    $$select public.invite_member(tests.id('acme'), 'new@example.com', 'custom:unused')$$),
  ('see invitations', 'members.manage', null, 'none', 'select id from public.invitations'),
  ('change a member''s role', 'members.manage', null, 'denied',
    $$select public.change_member_role(tests.id('acme'), tests.id('spare'), 'custom:unused')$$),
  ('remove a member', 'members.manage', null, 'denied',
    $$select public.remove_member(tests.id('acme'), tests.id('spare'))$$),
  ('see who is offered ownership', 'members.read', null, 'none', 'select from public.ownership_offers'),
  ('close the organization', 'organizations.delete', null, 'denied',
    $$select public.close_organization(tests.id('acme'))$$),
  ('read the audit log', 'audit.read', null, 'none', 'select from public.audit_log'),
  ('verify the audit log', 'audit.read', null, 'denied', $$select public.verify_audit_chain(tests.id('acme'))$$),
  ('log an export', 'audit.read', null, 'denied', $$select public.log_audit_call(tests.id('acme'), 'audit.export')$$),

  ('read the subscription', 'billing.read', null, 'none', 'select from public.subscriptions'),
  ('read what it consists of', 'billing.read', null, 'none', 'select from public.subscription_items'),
  ('read invoices', 'billing.read', null, 'none', 'select from public.invoices'),
  ('read what was agreed on', 'billing.read', null, 'none', 'select from public.entitlement_overrides'),
  ('begin to buy', 'billing.manage', null, 'denied', $$select public.billing_context(tests.id('acme'))$$),
  ('read what one is entitled to', 'organizations.read', null, 'none', 'select from public.organization_entitlements'),
  ('read activity', 'activity.read', null, 'none',
    $$select where public.has_permission(tests.id('acme'), 'activity.read')$$),
  ('read artifacts', 'artifacts.read', null, 'none',
    $$select where public.has_permission(tests.id('acme'), 'artifacts.read')$$),
  ('write artifacts', 'artifacts.write', null, 'denied',
    $$select public.document_limits(tests.id('acme'), 'artifacts.write')$$),
  ('read schemas', 'schema.read', null, 'none',
    $$select where public.has_permission(tests.id('acme'), 'schema.read')$$),
  ('write schemas', 'schema.write', null, 'none',
    $$select where public.has_permission(tests.id('acme'), 'schema.write')$$),

  ('read workflows', 'workflows.read', null, 'none',
    $$select where public.has_permission(tests.id('acme'), 'workflows.read')$$),
  ('write workflows', 'workflows.write', null, 'denied',
    $$select public.document_limits(tests.id('acme'), 'workflows.write')$$),
  ('publish workflows', 'workflows.publish', null, 'none',
    $$select where public.has_permission(tests.id('acme'), 'workflows.publish')$$),
  ('read usage', 'usage.read', null, 'none', 'select from public.usage_events'),
  ('read usage by hour', 'usage.read', null, 'none', 'select from public.usage_hours'),
  ('read usage by day', 'usage.read', null, 'none', 'select from public.usage_days'),
  ('read the latest usage', 'usage.read', null, 'none', 'select from private.usage_tail'),
  ('read the latest requests', 'usage.read', null, 'none', 'select from private.request_log'),
  ('read limits', 'usage.read', 'organizations.read', 'none', 'select from public.organization_limits'),

  ('read the organization', 'organizations.read', null, 'none', 'select from public.organizations'),
  ('change the organization', 'organizations.update', 'organizations.read', 'none',
    $$update public.organizations set name = 'Renamed' where id = tests.id('acme')$$),
  ('read its roles', 'organizations.read', null, 'none',
    $$select from public.roles where organization_id = tests.id('acme')$$),
  ('read what they permit', 'organizations.read', null, 'none',
    $$select from public.role_permissions where organization_id = tests.id('acme')$$),

  ('define a role', 'roles.manage', null, 'denied',
    $$insert into public.roles (organization_id, key, name) values (tests.id('acme'), 'custom:new', 'New')$$),
  ('rename a role', 'roles.manage', 'organizations.read', 'none',
    $$update public.roles set name = 'Renamed' where key = 'custom:unused'$$),
  ('delete a role', 'roles.manage', 'organizations.read', 'none',
    $$delete from public.roles where key = 'custom:idle'$$),
  ('permit', 'roles.manage', null, 'denied',
    $$insert into public.role_permissions (organization_id, role_key, permission)
      select tests.id('acme'), 'custom:unused', permission from held limit 1$$),
  ('withdraw a permission', 'roles.manage', 'organizations.read', 'none',
    $$delete from public.role_permissions where role_key = 'custom:probe' and permission in (select permission from held)$$);

-- The prober's role, one that nobody has, and two that permit everything: neither is the prober's.
insert into public.roles (organization_id, key, name) values
  (tests.id('acme'), 'custom:probe', 'Probe'), (tests.id('acme'), 'custom:idle', 'Idle'),
  (tests.id('acme'), 'custom:everything', 'Everything'), (tests.id('globex'), 'custom:probe', 'Namesake');
insert into public.role_permissions (organization_id, role_key, permission)
select tests.id('acme'), 'custom:everything', key from public.permissions
union all
select tests.id('globex'), 'custom:probe', key from public.permissions;
update public.memberships set role_key = 'custom:probe' where user_id = tests.id('auditor');
update public.memberships set role_key = 'custom:unused' where user_id = tests.id('spare');

-- What the prober has at the moment.
create temporary table held (permission text);
grant select on held to authenticated;

create function tests.outcome_with(p_permissions text[], p_statement text) returns text
language plpgsql
as $$
declare
  result text;
begin
  perform tests.become_postgres();
  delete from public.role_permissions where role_key = 'custom:probe' and organization_id = tests.id('acme');
  insert into public.role_permissions (organization_id, role_key, permission)
  select tests.id('acme'), 'custom:probe', unnest(p_permissions);
  delete from held;
  insert into held select unnest(p_permissions);
  perform tests.sign_in('auditor');
  result := tests.outcome(p_statement);
  perform tests.become_postgres();
  return result;
end
$$;

select plan((select 2 * count(*)::integer from probes));

select is(
  tests.outcome_with(array_remove(array[needed, to_see], null), statement), 'yes',
  format('%s: with %s', operation, concat_ws(' and ', needed, to_see))
)
from probes;

select is(
  tests.outcome_with(array(select key from public.permissions where key <> needed), statement), otherwise,
  format('%s: with everything but %s', operation, needed)
)
from probes;

select * from finish();
rollback;
