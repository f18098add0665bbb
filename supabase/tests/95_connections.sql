-- Promise: connections are made and changed by those who may, within the plan; a password is never sent to a new place
-- by somebody who does not know it.
begin;
\ir support/tenants.psql
select plan(31);

create function tests.secret(p_version integer default 1, p_key text default 'acme key') returns jsonb
language sql
return jsonb_build_object(
  'data_key_id', tests.id(p_key), 'version', p_version,
  'ciphertext', encode('sealed', 'base64'), 'nonce', encode('nonce', 'base64')
);
create function tests.details(p_name text) returns jsonb
language sql
return jsonb_build_object(
  'name', p_name, 'engine', 'mssql', 'host', 'db.example.com', 'port', 1433, 'database_name', 'shop', 'username', 'sa'
);
insert into private.data_keys (organization_id, id, master_key_id, wrapped, nonce) values
  (tests.id('acme'), tests.id('acme key'), 'first', 'wrapped', 'nonce'),
  (tests.id('globex'), tests.id('globex key'), 'first', 'wrapped', 'nonce');

-- making
select tests.sign_in('developer');
select lives_ok(
  $$select public.create_connection(tests.id('acme'), tests.id('shop'), tests.details('Shop'), tests.secret())$$,
  'a developer adds a connection'
);
select results_eq(
  $$select name, engine::text, tls_mode::text, options, revision, secret_version, created_by from public.database_connections$$,
  $$values ('Shop', 'mssql', 'verify-full', '{}'::jsonb, 1, 1, tests.id('developer'))$$,
  'encrypted and checked unless it is said otherwise, and signed'
);
select is(
  tests.outcome($$select public.create_connection(tests.id('globex'), gen_random_uuid(), tests.details('Mole'), tests.secret(1, 'globex key'))$$),
  'denied', 'not in another organization'
);
select is(
  tests.outcome($$select public.create_connection(tests.id('acme'), gen_random_uuid(), tests.details('Shop'), tests.secret())$$),
  '23505', 'nor twice under one name'
);
select is(
  tests.outcome($$select public.create_connection(tests.id('acme'), gen_random_uuid(), tests.details('Key'), tests.secret(1, 'globex key'))$$),
  '23503', 'nor under another tenant''s key'
);
select is(
  tests.outcome($$select public.create_connection(tests.id('acme'), gen_random_uuid(), tests.details('New'), null)$$),
  'PT409 connection_changed', 'nor without a password'
);
select is(
  tests.outcome(format(
    $$select public.create_connection(tests.id('acme'), gen_random_uuid(), tests.details('New') || %L, tests.secret())$$, change
  )),
  outcome, description
)
from (values
  ('{"secret_version": 7}', '22023 unknown_field', 'what is not the caller''s cannot be said'),
  ('{"organization_id": "00000000-0000-0000-0000-000000000000"}', '22023 unknown_field', 'the organization neither'),
  ('{"last_test": {"ok": true}}', '22023 unknown_field', 'nor how a test went'),
  ('{"engine": "oracle"}', '22P02', 'engines are those that there are'),
  ('{"tls_mode": "trust"}', '22P02', 'and so are modes'),
  ('{"host": "db.example.com:1433"}', '23514', 'a host is a host'),
  ('{"application_id": "00000000-0000-0000-0000-000000000000"}', '23503', 'an application is the organization''s')
) as given (change, outcome, description);

-- the plan's limit
select public.create_connection(tests.id('acme'), tests.id('second'), tests.details('Second'), tests.secret());
select public.create_connection(tests.id('acme'), tests.id('third'), tests.details('Third'), tests.secret());
select is(
  tests.outcome($$select public.create_connection(tests.id('acme'), gen_random_uuid(), tests.details('Fourth'), tests.secret())$$),
  'PT402 limit_reached', 'the free plan has room for three'
);
delete from public.database_connections where id = tests.id('third');
select lives_ok(
  $$select public.create_connection(tests.id('acme'), tests.id('third'), tests.details('Third'), tests.secret())$$,
  'and for another when one is gone'
);

-- changing
select tests.sign_in('admin');
select is(
  tests.outcome(format($$select public.update_connection(tests.id('shop'), 1, %L)$$, change)), outcome, description
)
from (values
  ('{"host": "evil.example.com"}', '22023 password_required', 'the password does not follow to another host'),
  ('{"port": 1434}', '22023 password_required', 'or port'),
  ('{"port": null}', '22023 password_required', 'or to wherever an instance is said to be'),
  ('{"username": "other"}', '22023 password_required', 'or to another user'),
  ('{"tls_mode": "disable"}', '22023 password_required', 'or out of its encryption'),
  ('{"ca_certificate": "-----BEGIN CERTIFICATE-----"}', '22023 password_required', 'or to somebody else''s authority'),
  ('{"options": {"instance": "EVIL"}}', '22023 password_required', 'or option'),
  ('{"engine": "mysql"}', '22023 unknown_field', 'an engine stays what it is'),
  ('{"name": "Store", "database_name": "store", "host": "db.example.com"}', 'yes', 'other things change without it')
) as given (change, outcome, description);

-- How a test went belongs to what was tested.
select tests.become_postgres();
select is(private.record_connection_test(tests.id('shop'), 1, '{"ok": true}'), true, 'a test is noted');
select is(private.record_connection_test(tests.id('shop'), 2, '{"ok": true}'), false, 'unless the connection has changed since');
select tests.sign_in('admin');
select results_eq(
  $$select host, revision, secret_version, last_test from public.update_connection(
    tests.id('shop'), 1, '{"host": "new.example.com"}', tests.secret(2))$$,
  $$values ('new.example.com', 2, 2, null::jsonb)$$,
  'with the password it moves, and what was tested is no longer it'
);
select is(
  tests.outcome($$select public.update_connection(tests.id('shop'), 1, '{"name": "Late"}')$$),
  'PT409 connection_changed', 'who saw an older one changes nothing'
);
select is(
  tests.outcome($$select public.update_connection(tests.id('shop'), 2, '{}', tests.secret(2))$$),
  'PT409 connection_changed', 'nor puts a password under an old number'
);

-- what is left behind
select tests.become_postgres();
select is_empty(
  $$select from public.audit_log where action ~ '^database_connections' and (before::text || after::text) ~ 'sealed|nonce|ciphertext'$$,
  'the trail knows no secret'
);
delete from public.users where id = tests.id('developer');
delete from public.organizations where id = tests.id('acme');
select is_empty(
  $$select organization_id from public.database_connections where organization_id = tests.id('acme')
    union all select organization_id from private.connection_secrets where organization_id = tests.id('acme')
    union all select organization_id from private.data_keys where organization_id = tests.id('acme')$$,
  'when an organization goes, so do its connections, passwords and key'
);

select * from finish();
rollback;
