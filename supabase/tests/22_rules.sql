-- Promise: a row that breaks a rule is refused by the rule's name, whoever writes it; a change is dated.
begin;
\ir support/tenants.psql

-- The name of the constraint that a statement breaks; `none` when it is carried out.
create function tests.broken(p_statement text) returns text
language plpgsql
as $$
declare
  broken text;
begin
  execute p_statement;
  return 'none';
exception when integrity_constraint_violation then
  get stacked diagnostics broken = constraint_name;
  return broken;
end
$$;

insert into public.database_connections (id, organization_id, name, engine, host, database_name, username)
values (tests.id('shop'), tests.id('acme'), 'Shop', 'postgres', 'db.example.com', 'shop', 'reader');
select tests.add_key('rocket-key', 'rocket', 'owner');

create temporary table refused (rule text, statement text);
insert into refused values
  ('invalid_organization_name', $$update public.organizations set name = '<b>'$$),
  ('invalid_slug', $$update public.organizations set slug = 'ab'$$),
  ('invalid_slug', $$update public.organizations set slug = repeat('a', 49)$$),
  ('invalid_slug', $$update public.organizations set slug = 'Acme'$$),
  ('invalid_slug', $$update public.organizations set slug = '-acme'$$),
  ('invalid_slug', $$update public.organizations set slug = 'acme-'$$),
  ('invalid_slug', $$update public.organizations set slug = E'acme\n'$$),
  ('slug_reserved', $$update public.organizations set slug = 'api'$$),
  ('slug_taken', $$update public.organizations set slug = 'globex-test' where id = tests.id('acme')$$),
  ('invalid_settings', $$update public.organizations set settings = '[]'$$),
  ('invalid_settings', $$update public.organizations set settings = 'null'$$),
  ('invalid_settings', $$update public.organizations set settings = jsonb_build_object('long', repeat('x', 16384))$$),

  ('invalid_user_name', $$update public.users set name = '<b>'$$),
  ('invalid_avatar_url', $$update public.users set avatar_url = 'javascript:alert(1)'$$),
  ('invalid_avatar_url', $$update public.users set avatar_url = 'http://example.com/me.png'$$),
  ('invalid_avatar_url', $$update public.users set avatar_url = 'https://'$$),
  ('invalid_avatar_url', $$update public.users set avatar_url = 'https://example.com/" onerror="alert(1)'$$),
  ('invalid_avatar_url', $$update public.users set avatar_url = E'https://example.com/\n'$$),
  ('invalid_avatar_url', $$update public.users set avatar_url = 'https://example.com/' || repeat('a', 2048)$$),

  ('invalid_permission_key', $$insert into public.permissions (key, description) values ('Everything', '')$$),
  ('invalid_role_name', $$update public.roles set name = '<b>' where organization_id is not null$$),
  ('invalid_role_description', $$update public.roles set description = repeat('x', 501)$$),
  ('invalid_role_key', $$insert into public.roles (key, name) values ('custom:system', 'Role')$$),
  ('role_key_taken', $$insert into public.roles (organization_id, key, name)
    values (tests.id('acme'), 'custom:auditor', 'Role')$$),
  ('invalid_role_key', $$insert into public.role_permissions (organization_id, role_key, permission)
    select tests.id('acme'), 'custom:' || string_agg(md5(n::text), ''), 'members.read' from generate_series(1, 1000) as n$$),
  ('unknown_permission', $$insert into public.role_permissions (organization_id, role_key, permission)
    values (tests.id('acme'), 'custom:auditor', 'no.such')$$),
  ('already_permitted', $$insert into public.role_permissions (organization_id, role_key, permission)
    values (tests.id('acme'), 'custom:auditor', 'applications.read')$$),
  ('unknown_role', $$insert into public.role_permissions (organization_id, role_key, permission)
    values (tests.id('acme'), 'custom:none', 'applications.read')$$),
  ('unknown_role', $$update public.memberships set role_key = 'custom:none' where user_id = tests.id('spare')$$),
  ('unknown_role', $$update public.memberships set role_key = 'none' where user_id = tests.id('spare')$$),
  ('unknown_role', $$delete from public.roles where key = 'custom:auditor'$$),
  ('unknown_user', $$insert into public.memberships (organization_id, user_id, role_key)
    values (tests.id('acme'), gen_random_uuid(), 'viewer')$$),
  ('already_member', $$insert into public.memberships (organization_id, user_id, role_key)
    values (tests.id('acme'), tests.id('spare'), 'viewer')$$),

  ('already_invited', $$insert into public.invitations (organization_id, email, role_key, token_hash)
    select tests.id('acme'), 'twice@example.com', 'viewer', hash::bytea from unnest(array['one', 'two']) as hash$$),
  ('invalid_email', $$insert into public.invitations (organization_id, email, role_key, token_hash)
    values (tests.id('acme'), 'Upper@example.com', 'viewer', 'hash')$$),
  ('role_in_use', $$with invited as (
      insert into public.invitations (organization_id, email, role_key, token_hash)
      values (tests.id('acme'), 'new@example.com', 'custom:unused', 'hash')
    ) delete from public.roles where key = 'custom:unused'$$),
  ('role_in_use', $$insert into public.invitations (organization_id, email, role_key, token_hash)
    values (tests.id('acme'), 'new@example.com', 'custom:foreign', 'hash')$$),
  ('invalid_seat_limit', $$update public.organizations set seat_limit = 0$$),
  ('offer_to_oneself', $$insert into public.ownership_offers (organization_id, from_user_id, to_user_id)
    values (tests.id('acme'), tests.id('owner'), tests.id('owner'))$$),

  ('invalid_connection_name', $$update public.database_connections set name = '<b>'$$),
  ('invalid_connection_host', $$update public.database_connections set host = 'db.example.com:5432'$$),
  ('invalid_connection_host', $$update public.database_connections set host = '/var/run/postgresql'$$),
  ('invalid_connection_host', $$update public.database_connections set host = E'db.example.com\n'$$),
  ('invalid_connection_host', $$update public.database_connections set host = 'db.example.com.'$$),
  ('invalid_connection_host', $$update public.database_connections set host = ''$$),
  ('none', $$update public.database_connections set host = '::1'$$),
  ('none', $$update public.database_connections set host = '2606:4700::1111'$$),
  ('invalid_connection_port', $$update public.database_connections set port = 0$$),
  ('invalid_connection_port', $$update public.database_connections set port = 65536$$),
  ('invalid_connection_database', $$update public.database_connections set database_name = ''$$),
  ('invalid_connection_username', $$update public.database_connections set username = E'a\tb'$$),
  ('invalid_ca_certificate', $$update public.database_connections set ca_certificate = '/etc/passwd'$$),
  ('invalid_ca_certificate', $$update public.database_connections
    set ca_certificate = '-----BEGIN CERTIFICATE----- -----BEGIN PRIVATE KEY-----'$$),
  ('invalid_connection_options', $$update public.database_connections set options = '[]'$$),
  ('invalid_connection_options', $$update public.database_connections set options = jsonb_build_object('long', repeat('x', 4096))$$),
  ('strict_tls_is_for_mssql', $$update public.database_connections set tls_mode = 'strict'$$),
  ('connection_name_taken', $$insert into public.database_connections (organization_id, name, engine, host, database_name, username)
    values (tests.id('acme'), 'Shop', 'postgres', 'db.example.com', 'shop', 'reader')$$),
  ('unknown_application', $$update public.database_connections set application_id = tests.id('reactor')$$),
  ('invalid_api_key_name', $$update public.api_keys set name = '<b>'$$),
  ('invalid_key_environment', $$update public.api_keys set environment = 'staging'$$),
  ('invalid_scopes', $$update public.api_keys set scopes = '{}'$$),
  ('too_many_workflows', $$update public.api_keys set workflow_ids = array_fill(gen_random_uuid(), array[101])$$),
  ('too_many_cidrs', $$update public.api_keys set allowed_cidrs = array_fill('10.0.0.0/8'::cidr, array[51])$$),
  ('invalid_origins', $$update public.api_keys set allowed_origins = array_fill('https://example.com'::text, array[51])$$),
  ('invalid_origins', $$update public.api_keys set allowed_origins = '{https://example.com/}'$$),
  ('invalid_origins', $$update public.api_keys set allowed_origins = '{null}'$$),
  ('invalid_origins', $$update public.api_keys set allowed_origins = '{*}'$$),
  ('invalid_origins', $$update public.api_keys set allowed_origins = '{https://Example.com}'$$),
  ('invalid_origins', $$update public.api_keys set allowed_origins = '{https://example.com:443}'$$),
  ('invalid_origins', $$update public.api_keys set allowed_origins = '{http://example.com:80}'$$),
  ('invalid_origins', $$update public.api_keys set allowed_origins = array['null']$$),
  ('none', $$update public.api_keys set allowed_origins = '{https://example.com,http://localhost:3000,http://[::1]:8080}'$$),

  ('invalid_environments', $$update public.applications set environments = '[]'$$),
  ('invalid_application_name', $$update public.applications set name = '<b>'$$),
  ('invalid_application_slug', $$update public.applications set slug = ''$$),
  ('invalid_application_slug', $$update public.applications set slug = 'a b'$$),
  ('invalid_application_slug', $$update public.applications set slug = repeat('a', 49)$$),
  ('invalid_application_description', $$update public.applications set description = repeat('x', 2001)$$),
  ('application_slug_taken', $$insert into public.applications (organization_id, name, slug)
    values (tests.id('acme'), 'Rocket', 'rocket')$$),
  ('invalid_amount', $$insert into public.plan_prices
    (stripe_price_id, plan_key, interval, currency, unit_amount, livemode) values ('price_1', 'free', 'month', 'eur', -1, false)$$),
  ('none', $$insert into public.invoices
    (stripe_invoice_id, organization_id, status, currency, total, subtotal, amount_due, amount_paid, amount_remaining, livemode, created)
    values ('in_0', tests.id('acme'), 'open', 'eur', -900, -900, -900, 0, -900, false, now())$$),
  ('none', $$insert into public.invoices
    (stripe_invoice_id, organization_id, status, currency, total, subtotal, amount_due, amount_paid, amount_remaining, livemode, created)
    values ('in_1', tests.id('acme'), 'paid', 'eur', -900, -900, 0, 0, 0, false, now())$$),
  ('none', $$insert into public.invoices
    (stripe_invoice_id, organization_id, status, currency, total, subtotal, amount_due, amount_paid, amount_remaining, livemode, created)
    values ('in_2', tests.id('acme'), 'paid', 'jpy', 9007199254740993, 9007199254740993, 9007199254740993, 9007199254740993, 0, false, now())$$),
  ('invalid_currency', $$insert into public.plan_prices
    (stripe_price_id, plan_key, interval, currency, unit_amount, livemode) values ('price_1', 'free', 'month', 'EUR', 900, false)$$),
  ('invalid_currency', $$insert into public.invoices
    (stripe_invoice_id, organization_id, status, currency, total, subtotal, amount_due, amount_paid, amount_remaining, livemode, created)
    values ('in_1', tests.id('acme'), 'open', 'euro', 0, 0, 0, 0, 0, false, now())$$),
  ('invalid_currency', $$insert into public.subscriptions (stripe_subscription_id, organization_id, status, currency, livemode, created)
    values ('sub_1', tests.id('acme'), 'active', 'e1r', false, now())$$),
  ('missing_reason', $$insert into public.entitlement_overrides (organization_id, key, value, reason)
    values (tests.id('acme'), 'applications', 100, ' ')$$),
  ('none', $$insert into public.applications (organization_id, name, slug)
    values (tests.id('globex'), 'Rocket', 'rocket')$$);
insert into refused
select 'invalid_role_key', format('insert into public.roles (organization_id, key, name) values (%L, %L, ''Role'')', tests.id('acme'), key)
from unnest(array[
  'owner', 'auditor', 'custom:', 'custom:Owner', 'custom:öwner', E'custom:owner\n', 'custom:a b', 'custom:-a',
  ' custom:a', 'custom:' || repeat('a', 42)
]) as key;

create temporary table names (name text, valid boolean);
insert into names values
  ('Ada', true), (repeat('x', 100), true), ('Ο''Νίλ & Søn', true), ('日本語', true), ('🧑‍🚀', true),
  ('', false), (' Ada', false), ('Ada ', false), (repeat('x', 101), false), ('a<b', false), ('a>b', false),
  (E'two\nlines', false), (E'tab\there', false),
  (U&'right\202Eto left', false), (U&'isolate\2066d', false), (U&'line\2028separator', false),
  (U&'zero\200Bwidth', false), (U&'\FEFFmark', false), (U&'\00A0', false), (U&'\200D', false), (U&'\3164', false),
  (U&'\3000', false);

create temporary table dated as
select table_name::text from information_schema.columns where table_schema = 'public' and column_name = 'updated_at';

select plan((
  (select count(*) from refused) + (select count(*) from names) + (select count(*) from dated) + 1
)::integer);

select is(tests.broken(statement), rule, left(statement, 100)) from refused;

select set_eq(
  $$select conname::text from pg_constraint
    where connamespace = 'public'::regnamespace and contype in ('c', 'u', 'p', 'f', 'x')
      and not starts_with(conname, (select relname || '_' from pg_class where oid = conrelid))$$,
  $$select rule from refused where rule <> 'none'$$,
  'every rule with a name is tried'
);

select is(private.is_name(name), valid, format('%s a name: %s', case when valid then 'is' else 'is not' end, to_json(left(name, 20))))
from names;

create function tests.antedated(p_table text) returns bigint
language plpgsql
as $$
declare
  result bigint;
begin
  execute format($sql$update public.%I set updated_at = '2000-01-01'$sql$, p_table);
  execute format($sql$select count(*) from public.%I where updated_at < now()$sql$, p_table) into result;
  return result;
end
$$;
select is(tests.antedated(table_name), 0::bigint, format('a change to %s is dated now', table_name)) from dated;

select * from finish();
rollback;
