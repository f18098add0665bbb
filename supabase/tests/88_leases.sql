-- Promise: budget on lease counts from the moment it is taken; what is returned comes back, in the quota and in the rate,
-- and no more than that; what is not returned was spent.
begin;
\ir support/tenants.psql
\ir support/clock.psql
select plan(46);

select tests.add_key('rocket-key', 'rocket', 'owner'), tests.add_key('rocket-key-2', 'rocket', 'owner');
select tests.grant_plan('api_requests.per_second', 100), tests.grant_plan('key_requests.per_second', 100),
  tests.grant_plan('api_requests.per_month', 1000);

create function tests.lease(p_amount bigint, p_key text default 'rocket-key', p_seconds integer default 2)
returns table (code text, lease_id uuid, granted bigint, expires_at timestamptz, remaining bigint)
language sql
as $$
  select code, lease_id, granted, expires_at, remaining
  from public.lease_budget(private.token_hash(tests.secret(p_key)), 'applications.read', 'api_requests', p_amount, p_seconds)
$$;
create temporary table taken (place integer generated always as identity, lease_id uuid, granted bigint);
create function tests.take(p_amount bigint, p_key text default 'rocket-key') returns bigint
language sql
as $$ insert into taken (lease_id, granted) select lease_id, granted from tests.lease(p_amount, p_key) returning granted $$;
create function tests.give_back(p_spent bigint) returns boolean
language sql
as $$ select public.return_lease((select lease_id from taken order by place desc limit 1), p_spent) $$;
create function tests.used() returns bigint
language sql
return private.metric_used(tests.id('acme'), 'api_requests');
create function tests.free(p_key text default 'rocket-key') returns bigint
language plpgsql
as $$
declare
  free bigint;
begin
  select coalesce(granted, 0) into free from tests.lease(1000000, p_key);
  raise exception using errcode = 'TEST0', message = free;
exception when sqlstate 'TEST0' then
  return sqlerrm;
end
$$;

-- taken
select results_eq(
  $$select code, granted, expires_at, remaining from tests.lease(50)$$,
  $$select 'allowed', 50::bigint, tests.now() + interval '2 seconds', 950::bigint$$, 'a lease of 50'
);
select is(tests.used(), 50::bigint, 'counts at once');
select is_empty('select from private.request_log where organization_id = tests.id(''acme'')', 'what becomes of it is not known yet');
select is(tests.free(), 150::bigint, 'the rate is taken too: 200 are in a burst');
select is(tests.free('rocket-key-2'), 150::bigint, 'also for the organization''s other key');
select is((select code from tests.lease(1)), 'allowed', 'there is more');
select is((select granted from tests.lease(1000)), 149::bigint, 'a lease takes what there is');
select results_eq(
  'select code, lease_id, granted from tests.lease(1)', $$values ('rate_limited', null::uuid, null::bigint)$$, 'and then none'
);
select is((tests.decide()).code, 'rate_limited', 'nor has a single request anything left');

-- returned
select tests.pass('1 hour');
select tests.take(100);
select ok(tests.give_back(30), 'a lease is returned');
select is(tests.used(), 230::bigint, 'what was not spent is not used');
select is(tests.free(), 170::bigint, 'and free again, in the same moment');
select results_eq(
  $$select request_id collate "default", quantity, key_id, occurred_at from private.request_log where organization_id = tests.id('acme')$$,
  $$select 'lease:' || lease_id, 30::bigint, tests.id('rocket-key'), tests.now() from taken$$, 'what was spent is written down'
);
select ok(not tests.give_back(30), 'a lease is returned once');
select is(tests.used(), 230::bigint, 'whatever is said the second time');
select ok(not public.return_lease(gen_random_uuid(), 0), 'and only if there is one');
select tests.take(10);
select is(tests.outcome(format('select tests.give_back(%s)', coalesce(spent::text, 'null'))), '22023 invalid_spent', coalesce(spent::text, 'nothing') || ' of 10')
from unnest(array[-1, 11, null]) as spent;
select ok(tests.give_back(0), 'all of it can be returned');
select is((select count(*) from private.request_log where organization_id = tests.id('acme')), 1::bigint, 'which is nothing to write down');

-- the rate gets back no more than it had
select tests.pass('1 hour');
select tests.take(200);
select tests.pass('1 second');
select is(tests.free(), 100::bigint, 'a second later half of the burst has come back');
select tests.take(100, 'rocket-key-2');
select ok(public.return_lease((select lease_id from taken order by place desc offset 1 limit 1), 0), 'the first is returned unspent');
select is(tests.free('rocket-key-2'), 100::bigint, 'the bucket is full but for what the second one has');
select tests.pass('1 hour');
select ok(tests.give_back(0), 'returned much too late');
select is(tests.free(), 200::bigint, 'a full bucket holds no more for it');

-- a rate that has become nothing meanwhile
select tests.pass('1 hour');
select tests.take(100);
select tests.grant_plan(key, 0) from unnest(array['api_requests.per_second', 'key_requests.per_second']) as key;
select is((tests.decide()).code, 'rate_limited', 'a rate of nothing');
select ok(tests.give_back(60), 'what was taken before can be returned');
select tests.grant_plan(key, 100) from unnest(array['api_requests.per_second', 'key_requests.per_second']) as key;
select is(tests.free(), 100::bigint, 'and a rate that is there again has forgotten nothing');

-- at the end of a quota
select tests.pass('1 hour');
select tests.grant_plan('api_requests.per_month', tests.used() + 15);
select is(tests.take(100), 15::bigint, 'a lease ends where the quota does');
select is((tests.decide()).code, 'quota_exceeded', 'what is out on lease is not there for others');
select tests.give_back(14);
select is((tests.decide()).code, 'allowed', 'until it is returned');

-- over the end of a month
select tests.grant_plan('api_requests.per_month', 1000);
select tests.set_clock('2026-11-30 23:59:59Z');
select is((select expires_at from tests.lease(1, p_seconds => 5)), timestamptz '2026-12-01 00:00:00Z', 'a lease ends with its month');
select tests.take(10);
select tests.set_clock('2026-12-01 00:00:01Z');
select is((tests.decide()).remaining, 999::bigint, 'the new month begins');
select tests.give_back(4);
select is(tests.used(), 1::bigint, 'and owes the old one nothing');
select is(
  (select occurred_at from private.request_log where request_id = (select 'lease:' || lease_id from taken order by place desc limit 1)),
  timestamptz '2026-11-30 23:59:59Z', 'what was spent belongs to the month it was counted in'
);

-- never returned
select tests.take(20);
select tests.pass('61 seconds');
select private.settle_expired_leases();
select is((select count(*) from private.usage_leases where granted = 20), 1::bigint, 'a lease may come back for a minute');
select tests.pass('2 seconds');
select private.settle_expired_leases();
select is((select count(*) from private.usage_leases), 0::bigint, 'then it is settled');
select is(
  (select quantity from private.request_log where request_id = (select 'lease:' || lease_id from taken order by place desc limit 1)), 20::bigint,
  'as spent'
);
select ok(not tests.give_back(0), 'and not taken back');

-- nothing is lost or made up
select is(
  (select sum(quantity) from private.request_log where organization_id = tests.id('acme') and occurred_at >= '2026-12-01'),
  tests.used()::numeric, 'what is written down is what was counted'
);

-- refused
update private.api_key_counters set ends_at = '-infinity';
select is((select code from tests.lease(1)), 'expired', 'a lease is refused as a request is');
select is((select code from tests.lease(1, 'no-key')), 'invalid_key', 'also for a key that is none');
select is(
  tests.outcome(format('select tests.lease(1, p_seconds => %s)', seconds)), '22023 invalid_ttl', format('not for %s seconds', seconds)
)
from unnest(array['0', '6', 'null']) as seconds;

select * from finish();
rollback;
