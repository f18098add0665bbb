-- Threats: a key that can do more than who made it, one that outlives the right to it, a secret that can be read, one key
-- more than the plan has.
begin;
\ir support/tenants.psql
select plan(52);

create temporary table made (name text, id uuid, secret text);
grant all on made to authenticated;
create function tests.create_key(p_name text, p_scopes text[] default '{applications.read}') returns void
language sql
as $$ insert into made select p_name, * from public.create_api_key(tests.id('rocket'), p_name, p_scopes) $$;

select tests.sign_in('developer');
select lives_ok($$select tests.create_key('first', '{applications.write,applications.read}')$$, 'a developer makes a key');
select matches((select secret from made), '^nk_live_[0-9A-Za-z]{49}$', 'its secret is what scanners are told of');
select results_eq(
  $$select name, environment, scopes, prefix, last_four, created_by, granted_by from public.api_keys$$,
  $$select 'first', 'live', '{applications.read,applications.write}'::text[], left(secret, 12), right(secret, 4),
    tests.id('developer'), tests.id('developer') from made$$,
  'what it is, and enough of the secret to know it again'
);
select throws_ok($$select hash from private.api_key_secrets$$, '42501', null, 'nobody reads hashes');
select tests.sign_in('service_role');
select throws_ok($$select hash from private.api_key_secrets$$, '42501', null, 'not even a server');
select tests.become_postgres();
select is_empty(
  $$select from public.api_keys, made where position(substr(secret, 13, 40) in api_keys::text) > 0
    union all
    select from public.audit_log, made where position(substr(secret, 13, 40) in audit_log::text) > 0$$,
  'the secret itself is nowhere'
);
select results_eq(
  'select hash, valid_until from private.api_key_secrets join made on made.id = key_id',
  $$select sha256(convert_to(secret, 'UTF8')), timestamptz 'infinity' from made$$, 'but for its SHA-256'
);

-- the checksum
select is(private.crc32('123456789'), x'cbf43926'::bigint, 'CRC-32 is the one of zlib');
select is(private.crc32(''), 0::bigint, 'also of nothing');
select is(private.base62(0, 6), '000000', 'base 62 of nothing');
select is(private.base62(61 + 62 * 10, 3), '0Az', 'base 62 of something');
select is(private.base62(115792089237316195423570985008687907853269984665640564039457584007913129639935, 43), 'yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1', 'of all 256 bits');
select is(
  (select right(secret, 6) from made), (select private.base62(private.crc32(convert_to(left(secret, -6), 'UTF8')), 6) from made),
  'a secret ends with the checksum of the rest'
);
select is(
  (select count(distinct private.new_api_key('live')) from generate_series(1, 200)), 200::bigint, 'no two secrets are alike'
);

-- scopes
select tests.sign_in('developer');
select throws_ok(
  $$select tests.create_key('greedy', '{applications.read,members.manage}')$$, '42501',
  'You cannot give the scope members.manage: you do not have this permission yourself.', 'nobody gives what they do not have'
);
select is(tests.outcome($$select tests.create_key('x', '{no.such}')$$), 'denied', 'a permission that there is not is nobody''s');
select is(tests.outcome($$select tests.create_key('x', array[null])$$), 'denied', 'nor is none');
select is(tests.outcome($$select tests.create_key('x', '{}')$$), '23514', 'a key has a scope');
select is(tests.outcome($$select tests.create_key('x', null)$$), '23514', 'also when none is said');
select is(
  tests.outcome($$select public.create_api_key(tests.id('reactor'), 'x', '{applications.read}')$$),
  'PT404 application_not_found', 'another tenant''s application is not there'
);
select is(
  tests.outcome($$select public.create_api_key(tests.id('rocket'), 'x', '{applications.read}', p_environment => 'staging')$$),
  '23514', 'an environment is live or test'
);
select is(
  tests.outcome($$select public.create_api_key(tests.id('rocket'), 'x', '{applications.read}', p_environment => null)$$),
  '23502', 'and not none'
);
select is(
  tests.outcome($$select public.create_api_key(tests.id('rocket'), 'x', '{applications.read}', p_expires_at => now())$$),
  '22023 invalid_expiry', 'a key does not begin expired'
);
select tests.sign_in('viewer');
select is(tests.outcome($$select tests.create_key('x')$$), 'PT404 application_not_found', 'a viewer makes none');
select is_empty('select from public.api_keys', 'and sees none');

-- changes
select tests.sign_in('developer');
select is(tests.outcome(format('select public.update_api_key(%L, %s)', (select id from made), change)), expected, change)
from (values
  ($$p_name => 'Renamed'$$, 'yes'),
  ($$p_name => '<b>'$$, '23514'),
  ($$p_scopes => '{applications.read}'$$, 'yes'),
  ($$p_scopes => '{}'$$, '23514'),
  ($$p_scopes => '{applications.read,organizations.read}'$$, 'denied'),
  ($$p_expires_at => now() + interval '1 day'$$, 'yes'),
  ($$p_expires_at => now() - interval '1 day'$$, '22023 invalid_expiry'),
  ($$p_workflow_ids => array[gen_random_uuid()]$$, 'yes'),
  ($$p_allowed_cidrs => '{10.0.0.0/8,2001:db8::/32}'$$, 'yes'),
  ($$p_allowed_cidrs => '{10.0.0.1/8}'$$, '22023 invalid_cidrs'),
  ($$p_allowed_cidrs => '{10.0.0.0/8,example.com}'$$, '22023 invalid_cidrs'),
  ($$p_allowed_cidrs => '{null}'$$, '22023 invalid_cidrs'),
  ($$p_allowed_origins => '{https://example.com}'$$, 'yes')
) as changes (change, expected);
select public.update_api_key(
  (select id from made), p_expires_at => now() + interval '1 day', p_workflow_ids => array[tests.id('w1'), tests.id('w2')]
);
select is(
  tests.outcome(format('select public.update_api_key(%L, p_expires_at => now() + interval %L)', (select id from made), '2 days')),
  'denied', 'a key gains no time'
);
select is(
  tests.outcome(format('select public.update_api_key(%L, p_workflow_ids => %L)', (select id from made), workflows)), expected,
  'workflows ' || workflows::text
)
from (values
  (array[tests.id('w1')], 'yes'), (array[tests.id('w3')], 'denied'), ('{}'::uuid[], 'denied')
) as narrowed (workflows, expected);

-- the limit of the plan
select tests.create_key('key ' || n) from generate_series(2, 5) as n;
select is(tests.outcome($$select tests.create_key('sixth')$$), 'PT402 limit_reached', 'the free plan has five keys');
select public.revoke_api_key((select id from made where name = 'key 2'));
select lives_ok($$select tests.create_key('sixth')$$, 'a revoked one makes room');
select is(
  tests.outcome(format('select public.revoke_api_key(%L)', (select id from made where name = 'key 2'))), 'PT409 api_key_revoked',
  'revoked is for good'
);

-- adoption
select tests.sign_in('owner');
select lives_ok($$select public.adopt_api_key((select id from made where name = 'first'))$$, 'an owner answers for a key');
select is(
  (select granted_by from public.api_keys where name = 'first'), tests.id('owner'), 'in place of who made it'
);
select public.update_api_key(id, p_scopes => array['applications.read']) from made where name = 'first';
select tests.become_postgres();
insert into public.role_permissions (organization_id, role_key, permission) values
  (tests.id('acme'), 'custom:auditor', 'api_keys.manage');
delete from public.role_permissions where role_key = 'custom:auditor' and permission = 'applications.read';
select tests.sign_in('auditor');
select is(
  tests.outcome(format('select public.%s((select id from made where name = %L))', operation, 'first')), 'denied',
  'who cannot do what a key can gets no hold of it: ' || operation
)
from unnest(array['adopt_api_key', 'rotate_api_key']) as operation;
select is(
  tests.outcome(format('select public.update_api_key((select id from made where name = %L), %s)', 'first', change)), 'denied',
  'nor opens it to other places: ' || change
)
from unnest(array[$$p_allowed_cidrs => '{}'$$, $$p_allowed_origins => '{}'$$]) as change;
select is(
  tests.outcome($$select public.revoke_api_key((select id from made where name = 'first'))$$), 'yes', 'but may end it'
);

select * from finish();
rollback;
