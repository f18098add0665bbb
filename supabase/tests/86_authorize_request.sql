-- Promise: one call says whether a key may do this now, by one of eleven codes, and what was not admitted costs nothing.
begin;
\ir support/tenants.psql
\ir support/clock.psql
select plan(67);

select tests.add_key('rocket-key', 'rocket', 'owner');
select tests.grant_plan('api_requests.per_second', 10), tests.grant_plan('key_requests.per_second', 10),
  tests.grant_plan('api_requests.per_month', 1000);

create function tests.used() returns bigint
language sql
return private.metric_used(tests.id('acme'), 'api_requests');

-- allowed
select results_eq(
  $$select * from tests.decide()$$,
  $$select true, 'allowed', tests.id('acme'), tests.id('rocket'), tests.id('rocket-key'), 'test', 1000::bigint, 999::bigint,
    timestamptz '2026-12-01 00:00:00Z', null::integer, 20::bigint, 19::bigint$$,
  'allowed: whose key it is, what is left of the month and of the burst'
);
select results_eq(
  $$select quantity, application_id, key_id, environment, metric, workflow_id, occurred_at from private.request_log
    where organization_id = tests.id('acme')$$,
  $$select 1::bigint, tests.id('rocket'), tests.id('rocket-key'), 'test', 'api_requests', null::uuid, tests.now()$$,
  'and it is written down'
);
select is((tests.decide(p_cost => 5)).remaining, 994::bigint, 'a cost counts towards the quota');
select is((tests.decide()).rate_remaining, 17::bigint, 'a request counts as one towards the rate');
select is(tests.used(), 7::bigint, 'used is the sum');

-- refused, for what does not hold
create table tests.before as select tests.used() as used, (select count(*) from private.request_log) as logged;
create function tests.code_when(p_change text, p_context jsonb default '{}', p_scope text default 'applications.read') returns text
language plpgsql
as $$
declare
  result text;
begin
  begin
    execute p_change;
    select code into result from tests.decide(p_context => p_context, p_scope => p_scope);
    raise exception using errcode = 'TEST0';
  exception when sqlstate 'TEST0' then
    return result;
  end;
end
$$;
select is(tests.code_when(change, context, scope), expected, format('%s: %s', expected, regexp_replace(change, '\s+', ' ', 'g')))
from (values
  ($$delete from private.api_key_secrets where key_id = tests.id('rocket-key')$$, '{}'::jsonb, 'applications.read', 'invalid_key'),
  ($$delete from public.api_keys where id = tests.id('rocket-key')$$, '{}', 'applications.read', 'invalid_key'),
  ($$delete from public.applications where id = tests.id('rocket')$$, '{}', 'applications.read', 'invalid_key'),
  ($$update public.api_keys set revoked_at = now(); update private.api_key_counters set ends_at = '-infinity'$$, '{}', 'applications.read', 'revoked'),
  ($$update private.api_key_counters set ends_at = tests.now() + interval '1 microsecond'$$, '{}', 'applications.read', 'allowed'),
  ($$update private.api_key_counters set ends_at = tests.now()$$, '{}', 'applications.read', 'expired'),
  ($$update private.api_key_secrets set valid_until = tests.now() + interval '1 microsecond'$$, '{}', 'applications.read', 'allowed'),
  ($$update private.api_key_secrets set valid_until = tests.now()$$, '{}', 'applications.read', 'expired'),
  ($$select private.entitlements_changed(null)$$, '{}', 'applications.read', 'allowed'),
  ($$select 1$$, '{}', 'applications.write', 'forbidden_scope'),
  ($$select 1$$, '{}', null, 'forbidden_scope'),
  ($$update public.api_keys set scopes = '{applications.read,applications.write}'$$, '{}', 'applications.write', 'allowed'),
  ($$update public.memberships set role_key = 'billing' where user_id = tests.id('spare');
     update public.api_keys set granted_by = tests.id('spare')$$, '{}', 'applications.read', 'forbidden_scope'),
  ($$update public.api_keys set granted_by = tests.id('nobody')$$, '{}', 'applications.read', 'forbidden_scope'),
  ($$update public.api_keys set granted_by = tests.id('outsider')$$, '{}', 'applications.read', 'forbidden_scope'),
  ($$update public.api_keys set granted_by = null$$, '{}', 'applications.read', 'forbidden_scope'),
  ($$update public.api_keys set granted_by = tests.id('auditor')$$, '{}', 'applications.read', 'allowed'),
  ($$update public.api_keys set granted_by = tests.id('auditor'); delete from public.role_permissions where role_key = 'custom:auditor'$$,
    '{}', 'applications.read', 'forbidden_scope'),
  ($$update public.api_keys set granted_by = tests.id('developer')$$, '{}', 'applications.read', 'allowed'),
  ($$update public.api_keys set granted_by = tests.id('developer'); select tests.sign_in('owner');
     select public.change_member_role(tests.id('acme'), tests.id('developer'), 'billing'); select tests.become_postgres()$$,
    '{}', 'applications.read', 'forbidden_scope'),
  ($$update public.api_keys set granted_by = tests.id('developer'); select tests.sign_in('owner');
     select public.remove_member(tests.id('acme'), tests.id('developer')); select tests.become_postgres()$$,
    '{}', 'applications.read', 'forbidden_scope'),
  ($$update public.api_keys set granted_by = tests.id('developer'); select tests.sign_in('developer');
     select public.leave_organization(tests.id('acme')); select tests.sign_in('owner');
     select public.adopt_api_key(tests.id('rocket-key')); select tests.become_postgres()$$, '{}', 'applications.read', 'allowed'),
  ($$update public.api_keys set granted_by = tests.id('developer'); select tests.sign_in('owner');
     select public.remove_member(tests.id('acme'), tests.id('developer')); select tests.become_postgres();
     insert into public.memberships (organization_id, user_id, role_key) values (tests.id('acme'), tests.id('developer'), 'viewer')$$,
    '{}', 'applications.read', 'allowed'),
  ($$update public.organizations set closed_at = now(); update public.memberships set active = false$$, '{}', 'applications.read', 'organization_closed'),
  ($$create or replace function private.subscription_state(p_organization_id uuid) returns text language sql as $f$ select 'suspended' $f$;
     select private.entitlements_changed(array[tests.id('acme')])$$, '{}', 'applications.read', 'payment_required'),
  ($$create or replace function private.subscription_state(p_organization_id uuid) returns text language sql as $f$ select 'suspended' $f$;
     select private.entitlements_changed(array[tests.id('globex')])$$, '{}', 'applications.read', 'allowed'),

  ($$update public.api_keys set allowed_cidrs = '{192.0.2.0/24,2001:db8::/32}'$$, '{"ip": "192.0.2.255"}', 'applications.read', 'allowed'),
  ($$update public.api_keys set allowed_cidrs = '{192.0.2.0/24,2001:db8::/32}'$$, '{"ip": "2001:db8::1"}', 'applications.read', 'allowed'),
  ($$update public.api_keys set allowed_cidrs = '{192.0.2.0/24,2001:db8::/32}'$$, '{"ip": "192.0.3.0"}', 'applications.read', 'forbidden_ip'),
  ($$update public.api_keys set allowed_cidrs = '{192.0.2.0/24}'$$, '{"ip": "192.0.2.1, 192.0.2.2"}', 'applications.read', 'forbidden_ip'),
  ($$update public.api_keys set allowed_cidrs = '{0.0.0.0/0}'$$, '{"ip": 1}', 'applications.read', 'forbidden_ip'),
  ($$update public.api_keys set allowed_cidrs = '{0.0.0.0/0}'$$, '{}', 'applications.read', 'forbidden_ip'),
  ($$update public.api_keys set allowed_origins = '{https://example.com}'$$, '{"origin": "https://example.com"}', 'applications.read', 'allowed'),
  ($$update public.api_keys set allowed_origins = '{https://example.com}'$$, '{"origin": "https://example.com.evil"}', 'applications.read', 'forbidden_origin'),
  ($$update public.api_keys set allowed_origins = '{https://example.com}'$$, '{}', 'applications.read', 'forbidden_origin'),
  ($$update public.api_keys set allowed_origins = '{https://example.com}'$$, '{"origin": "null"}', 'applications.read', 'forbidden_origin'),
  ($$update public.api_keys set allowed_origins = '{https://example.com}'$$, '{"origin": "https://example.com:8443"}', 'applications.read', 'forbidden_origin'),
  ($$update public.api_keys set allowed_origins = '{https://example.com}'$$, '{"origin": "http://example.com"}', 'applications.read', 'forbidden_origin'),
  ($$update public.api_keys set allowed_origins = '{https://example.com}'$$, '{"origin": ["https://example.com"]}', 'applications.read', 'forbidden_origin'),
  ($$update public.api_keys set workflow_ids = array[tests.id('w1')]$$, jsonb_build_object('workflow_id', tests.id('w1')), 'applications.read', 'allowed'),
  ($$update public.api_keys set workflow_ids = array[tests.id('w1')]$$, jsonb_build_object('workflow_id', tests.id('w2')), 'applications.read', 'forbidden_scope'),
  ($$update public.api_keys set workflow_ids = array[tests.id('w1')]$$, '{"workflow_id": "w1"}', 'applications.read', 'forbidden_scope'),
  ($$update public.api_keys set workflow_ids = array[tests.id('w1')]$$, '{}', 'applications.read', 'forbidden_scope')
) as cases (change, context, scope, expected);
select results_eq(
  'select tests.used(), (select count(*) from private.request_log)', 'select used, logged from tests.before',
  'what was refused was neither counted nor written down'
);

-- keys that are none
select is((private.authorize_request(hash, 'applications.read', 'api_requests')).code, 'invalid_key', format('a hash like %s', hash))
from (values (null), (''::bytea), ('\x00'), (sha256('nothing')), (private.token_hash(''))) as hashes (hash);
select is(tests.outcome(statement), expected, expected)
from (values
  ($$select private.authorize_request(private.token_hash(tests.secret('rocket-key')), 'applications.read', 'no_metric')$$, '22023 unknown_metric'),
  ($$select private.authorize_request(private.token_hash(tests.secret('rocket-key')), 'applications.read', null)$$, '22023 unknown_metric'),
  ($$select tests.decide(p_cost => 0)$$, '22023 invalid_cost'),
  ($$select tests.decide(p_cost => null)$$, '22023 invalid_cost'),
  ($$select tests.decide(p_cost => 1000000001)$$, '22023 invalid_cost'),
  ($$select tests.decide(p_context => jsonb_build_object('request_id', repeat('x', 201)))$$, '22023 invalid_request_id')
) as wrong (statement, expected);

-- one request, asked for again
select is((tests.decide(p_context => '{"request_id": "one"}', p_cost => 3)).remaining, 990::bigint, 'a request with an id of its own');
select is((tests.decide(p_context => '{"request_id": "one"}', p_cost => 3)).remaining, 990::bigint, 'is counted once');
select is((tests.decide(p_context => '{"request_id": "two"}', p_cost => 990)).remaining, 0::bigint, 'the last one of the month');
select is((tests.decide()).code, 'quota_exceeded', 'after which there is none');
select results_eq(
  $$select code, remaining from tests.decide(p_context => '{"request_id": "two"}', p_cost => 990)$$, $$values ('allowed', 0::bigint)$$,
  'is still allowed when it is asked for again'
);
select is(
  tests.outcome($$select tests.decide(p_context => '{"request_id": "two"}', p_cost => 1)$$), 'PT409 request_id_reused',
  'another request needs another id'
);

-- as a server calls it
create table tests.hashes as select private.token_hash(tests.secret('rocket-key')) as hash;
grant select on tests.hashes to service_role;
select tests.sign_in('service_role');
select results_eq(
  $$select code, "limit", remaining, reset_at, retry_after from tests.hashes, public.authorize_request(hash, 'applications.read', 'api_requests')$$,
  $$values ('quota_exceeded', 1000::bigint, 0::bigint, timestamptz '2026-12-01 00:00:00Z', 1771200)$$, 'a server asks'
);
select * from finish();
rollback;
