-- Promise: a key is rotated without an outage, for as long as was said and no longer, and its id and counters stay.
begin;
\ir support/tenants.psql
\ir support/clock.psql
select plan(20);

create temporary table made (generation integer generated always as identity, secret text, until timestamptz);
grant all on made to authenticated;
create function tests.rotate(p_overlap interval) returns void
language sql
as $$ insert into made (secret, until) select secret, previous_valid_until from public.rotate_api_key(tests.id('rocket-key'), p_overlap) $$;
create function tests.codes() returns text
language sql
as $$
  select string_agg((private.authorize_request(private.token_hash(secret), 'applications.read', 'api_requests')).code, ' ' order by generation)
  from made
$$;

insert into made (secret) values (tests.secret('rocket-key'));
select tests.add_key('rocket-key', 'rocket', 'owner');
select tests.grant_plan('api_requests.per_second', 1000), tests.grant_plan('key_requests.per_second', 1000);
-- Rotation asks the real clock when to end the old secret: both must tell the same time.
select tests.set_clock(clock_timestamp());

select tests.sign_in('developer');
select tests.rotate('1 day');
select tests.become_postgres();
select tests.set_clock(clock_timestamp());
select is(tests.codes(), 'allowed allowed', 'both secrets are good');
select is((select count(*) from private.api_key_counters where key_id = tests.id('rocket-key') and taken = 2), 1::bigint, 'and are one key');
select results_eq(
  $$select prefix, last_four from public.api_keys where id = tests.id('rocket-key')$$,
  'select left(secret, 12), right(secret, 4) from made where generation = 2', 'the key shows the new one'
);
select tests.set_clock((select until from made where generation = 2) - interval '1 microsecond');
select is(tests.codes(), 'allowed allowed', 'until the very end');
select tests.pass('1 microsecond');
select is(tests.codes(), 'expired allowed', 'and no longer');

select tests.set_clock(clock_timestamp());
update private.usage_counters set tat = 'epoch';
update private.api_key_counters set tat = 'epoch';
select tests.sign_in('developer');
select tests.rotate('1 hour');
select tests.become_postgres();
select tests.set_clock(clock_timestamp());
select is(tests.codes(), 'invalid_key allowed allowed', 'a second rotation ends what the first had left');
select tests.sign_in('developer');
select tests.rotate('0');
select tests.become_postgres();
select tests.set_clock(clock_timestamp());
select is(tests.codes(), 'invalid_key invalid_key expired allowed', 'without an overlap the old one ends at once');
select is(
  (select count(*) from private.api_key_secrets where key_id = tests.id('rocket-key')), 2::bigint, 'there are never more than two'
);

select tests.sign_in('developer');
select is(tests.outcome(format('select tests.rotate(%L)', overlap)), expected, 'an overlap of ' || coalesce(overlap, 'null'))
from (values
  ('7 days', 'yes'), ('7 days 1 second', '22023 invalid_overlap'), ('-1 second', '22023 invalid_overlap'),
  ('1 month', '22023 invalid_overlap'), ('infinity', '22023 invalid_overlap'), (null, '22023 invalid_overlap')
) as given (overlap, expected);
select tests.sign_in('outsider');
select is(tests.outcome($$select tests.rotate('1 day')$$), 'PT404 api_key_not_found', 'nobody rotates another tenant''s');
select tests.sign_in('viewer');
select is(tests.outcome($$select tests.rotate('1 day')$$), 'PT404 api_key_not_found', 'nor without the permission');

select tests.sign_in('owner');
select public.revoke_api_key(tests.id('rocket-key'));
select is(tests.outcome($$select tests.rotate('1 day')$$), 'PT409 api_key_revoked', 'a revoked key is not brought back');
select is(tests.outcome($$select public.adopt_api_key(tests.id('rocket-key'))$$), 'PT409 api_key_revoked', 'or adopted');
select tests.become_postgres();
select is(tests.codes(), 'invalid_key invalid_key revoked revoked', 'both its secrets are dead');
select is(
  (select count(*) from public.audit_log where organization_id = tests.id('acme') and action = 'api_keys.update'), 4::bigint,
  'each rotation and the revocation are in the audit log'
);

select * from finish();
rollback;
