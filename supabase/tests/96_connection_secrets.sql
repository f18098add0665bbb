-- Threat: somebody reads a kept password, moves it to another tenant, or puts an old one back.
begin;
\ir support/tenants.psql
select plan(35);

insert into private.data_keys (organization_id, id, master_key_id, wrapped, nonce) values
  (tests.id('acme'), tests.id('acme key'), 'first', 'wrapped by first', 'nonce'),
  (tests.id('globex'), tests.id('globex key'), 'second', 'wrapped by second', 'nonce');
insert into public.database_connections (id, organization_id, name, engine, host, database_name, username) values
  (tests.id('shop'), tests.id('acme'), 'Shop', 'postgres', 'db.example.com', 'shop', 'reader'),
  (tests.id('plant'), tests.id('globex'), 'Plant', 'postgres', 'db.example.com', 'plant', 'reader');
insert into private.connection_secrets (organization_id, connection_id, data_key_id, version, ciphertext, nonce) values
  (tests.id('acme'), tests.id('shop'), tests.id('acme key'), 1, 'sealed', 'nonce'),
  (tests.id('globex'), tests.id('plant'), tests.id('globex key'), 1, 'sealed', 'nonce');

-- nobody but the functions' server
create temporary table reading (statement text);
insert into reading values
  ($$select from private.connection_secrets$$),
  ($$select from private.data_keys$$),
  ($$select * from public.read_connection_secret(tests.id('shop'))$$),
  ($$select * from public.read_data_key(tests.id('acme'))$$),
  ($$select * from public.add_data_key(tests.id('acme'), gen_random_uuid(), 'mine', '', '')$$),
  ($$select * from public.data_keys_to_rewrap('none')$$),
  ($$select public.rewrap_data_keys('[]')$$),
  ($$select public.record_connection_test(tests.id('shop'), 1, '{}')$$);
grant select on reading to anon, authenticated;
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
select is(tests.outcome_as(actor, statement), 'denied', format('%s: %s', actor, statement))
from unnest(array['anon', 'owner', 'outsider']) as actor, reading;

select tests.sign_in('service_role');
select is(tests.outcome($$select from private.connection_secrets$$), 'denied', 'a server reads no table of secrets');
select results_eq(
  $$select version, ciphertext, data_key_id, master_key_id, wrapped from public.read_connection_secret(tests.id('shop'))$$,
  $$values (1, encode('sealed', 'base64'), tests.id('acme key'), 'first', encode('wrapped by first', 'base64'))$$,
  'but one at a time, wrapped'
);
select tests.become_postgres();

-- moved, by somebody who can write everything
select throws_ok(
  $$update private.connection_secrets set organization_id = tests.id('globex') where connection_id = tests.id('shop')$$,
  '23503', null, 'a password does not move to another organization'
);
select throws_ok(
  $$update private.connection_secrets set data_key_id = tests.id('globex key') where connection_id = tests.id('shop')$$,
  '23503', null, 'nor under its key'
);
select throws_ok(
  $$update private.data_keys set organization_id = tests.id('acme') where id = tests.id('globex key')$$,
  '23505', null, 'nor the key to it'
);
-- The number that is authenticated with the password is the connection's, whatever the secret says.
update public.database_connections set secret_version = 2 where id = tests.id('shop');
select is(
  (select version from private.read_connection_secret(tests.id('shop'))), 2, 'an old password that was put back has the wrong number'
);

-- one key for each organization, whoever is first
select is(
  (select id from private.add_data_key(tests.id('acme'), tests.id('late key'), 'first', '', '')), tests.id('acme key'),
  'who makes a key too late gets the one that is there'
);

-- rotation
select results_eq(
  $$select id from private.data_keys_to_rewrap('second', null, 1000) where organization_id = tests.id('acme')$$, array[tests.id('acme key')],
  'what another master key has wrapped is to be done'
);
select is(
  private.rewrap_data_keys(jsonb_build_array(jsonb_build_object(
    'organization_id', tests.id('acme'), 'version', version, 'master_key_id', 'second',
    'wrapped', encode('wrapped by second', 'base64'), 'nonce', encode('another', 'base64')
  ))),
  expected, description
)
from (values (2, 0, 'what was read from another version is not written'), (1, 1, 'what is as it was read is'), (1, 0, 'once'))
  as attempts (version, expected, description);

select * from finish();
rollback;
