-- Promise: a rate lets through a burst of two seconds and then its pace, a quota its number in a calendar month, to the
-- microsecond and the unit; a changed plan holds at the next request.
begin;
\ir support/tenants.psql
\ir support/clock.psql
select plan(37);

select tests.add_key('rocket-key', 'rocket', 'owner'), tests.add_key('rocket-key-2', 'rocket', 'owner');
select tests.grant_plan('api_requests.per_second', 10), tests.grant_plan('key_requests.per_second', 5),
  tests.grant_plan('api_requests.per_month', null);

-- How many of so many requests are admitted.
create function tests.admitted(p_requests integer, p_key text default 'rocket-key') returns bigint
language sql volatile
as $$ select count(*) from generate_series(1, p_requests) where (tests.decide(p_key)).allowed $$;
create function tests.used() returns bigint
language sql
return private.metric_used(tests.id('acme'), 'api_requests');

-- rates
select is(tests.admitted(30), 10::bigint, 'a key of 5 a second has a burst of 10');
select results_eq(
  $$select code, "limit", remaining, reset_at, retry_after from tests.decide()$$,
  $$select 'rate_limited', 10::bigint, 0::bigint, tests.now() + interval '200 milliseconds', 1$$, 'the next is told when'
);
select tests.pass('199999 microseconds');
select is(tests.admitted(1), 0::bigint, 'a microsecond too early');
select tests.pass('1 microsecond');
select is(tests.admitted(2), 1::bigint, 'one each fifth of a second');
select is(tests.admitted(30, 'rocket-key-2'), 10::bigint, 'the other key has its own burst');
select results_eq(
  $$select code, "limit" from tests.decide('rocket-key-2')$$, $$values ('rate_limited', 10::bigint)$$, 'of its own rate'
);
select tests.pass('1 hour');
select is(tests.admitted(30) + tests.admitted(30, 'rocket-key-2'), 20::bigint, 'an hour saves up no more than the burst');
select is((tests.decide('rocket-key-2')).code, 'rate_limited', 'and the organization''s is spent');
create function tests.admitted_in_turns(p_every interval) returns integer
language plpgsql
as $$
declare
  admitted integer := 0;
begin
  for n in 1..100 loop
    perform tests.pass(p_every);
    admitted := admitted + (tests.decide(case n % 2 when 0 then 'rocket-key' else 'rocket-key-2' end)).allowed::integer;
  end loop;
  return admitted;
end
$$;
select tests.pass('100 milliseconds');
select is(tests.admitted_in_turns('100 milliseconds'), 100, 'both keys at their pace are the organization''s pace'
);
select tests.grant_plan('key_requests.per_second', 100);
select tests.pass('1 hour');
select is(tests.admitted(50), 20::bigint, 'the organization''s rate holds whatever the key''s');
select results_eq(
  $$select code, "limit", reset_at - tests.now() from tests.decide()$$,
  $$values ('rate_limited', 20::bigint, interval '100 milliseconds')$$, 'and says so'
);
select tests.pass('-1 hour');
select is(tests.admitted(5), 0::bigint, 'a clock that is set back gives nothing away');
select tests.pass('1 hour');

select tests.grant_plan('api_requests.per_second', 3), tests.grant_plan('key_requests.per_second', null);
select tests.pass('1 hour');
select is(tests.admitted(30), 5::bigint, 'a pace that is no whole number of microseconds is rounded to the safe side');
select tests.grant_plan('api_requests.per_second', null);
select is(tests.admitted(100), 100::bigint, 'null is no limit');
select is((tests.decide()).rate_limit, null, 'and is told as such');
select tests.grant_plan('api_requests.per_second', 0);
select results_eq(
  $$select code, retry_after, reset_at from tests.decide()$$, $$values ('rate_limited', null::integer, null::timestamptz)$$,
  'a rate of nothing lets nothing through, ever'
);
select tests.grant_plan('api_requests.per_second', null), tests.grant_plan('key_requests.per_second', 0);
select is((tests.decide()).code, 'rate_limited', 'nor does a key''s');
select tests.grant_plan('key_requests.per_second', null);

-- a pace, against the definition: never more than rate × (time + burst)
select tests.grant_plan('api_requests.per_second', 7);
select tests.pass('1 hour');
create temporary table tried (at timestamptz, allowed boolean);
do $$
declare
  at_random constant text := setseed(0.42)::text;
begin
  for n in 1..600 loop
    perform tests.pass(make_interval(secs => round(random()::numeric * random()::numeric * 0.4, 6)::double precision));
    insert into tried select tests.now(), (tests.decide()).allowed;
  end loop;
end
$$;
select is_empty(
  $$select first.at, last.at from tried as first, tried as last
    where first.allowed and last.allowed and last.at >= first.at
      and (select count(*) from tried where allowed and at between first.at and last.at)
        > 7 * (extract(epoch from last.at - first.at) + 2)$$,
  'at random moments no stretch of time has more than its share'
);
select cmp_ok(
  (select count(*) from tried where allowed), '>=',
  (select least(count(*), floor(7 * extract(epoch from max(at) - min(at)))::bigint) from tried), 'and the whole has all of it'
);
select tests.grant_plan('api_requests.per_second', null);

-- quotas
select tests.pass('1 hour');
select is((tests.decide()).remaining, null, 'no quota is told as such');
select tests.grant_plan('api_requests.per_month', tests.used() + 10);
select is((tests.decide(p_cost => 11)).code, 'quota_exceeded', 'a cost that does not fit is refused');
select is((tests.decide(p_cost => 10)).remaining, 0::bigint, 'one that fits takes all');
select results_eq(
  $$select code, remaining, reset_at, retry_after from tests.decide()$$,
  $$select 'quota_exceeded', 0::bigint, timestamptz '2026-12-01 00:00:00Z',
    ceil(extract(epoch from timestamptz '2026-12-01 00:00:00Z' - tests.now()))::integer$$, 'then there is none until the next month'
);
select tests.set_clock('2026-11-30 23:59:59.999999Z');
select is((tests.decide()).code, 'quota_exceeded', 'a microsecond before its end the month is not over');
select tests.set_clock('2026-12-01 00:00:00Z');
select is((tests.decide()).code, 'allowed', 'at its end it is');
select is(tests.used(), 1::bigint, 'and the next begins at nothing');
select tests.set_clock('2026-11-30 23:59:59.999999Z');
select is((tests.decide()).code, 'allowed', 'a clock that falls back counts on');
select is(
  (select used from private.usage_counters where organization_id = tests.id('acme')), 2::bigint, 'in the month that has begun'
);
select tests.set_clock('2028-02-29 12:00:00Z');
select is((tests.decide()).reset_at, timestamptz '2028-03-01 00:00:00Z', 'years later, in a leap one');

-- overage
create or replace function private.entitlements(p_organization_id uuid, p_keys text[] default null)
returns table (key text, unit text, value bigint, overage boolean, source text)
language sql stable
as $$
  select key, unit, case key when 'api_requests.per_month' then 5 end, key = 'api_requests.per_month', 'plan' from public.entitlement_keys where key = any (p_keys)
$$;
select private.entitlements_changed(array[tests.id('acme')]);
select is((tests.decide(p_cost => 7)).remaining, 0::bigint, 'a soft quota lets through what is beyond it');
select is((tests.decide()).code, 'allowed', 'and goes on');
select is(tests.used(), 9::bigint, 'counting');

-- what was used otherwise
select private.count_usage(tests.id('acme'), 'api_requests', 5, tests.now());
select is(tests.used(), 14::bigint, 'what others count is counted');
select private.count_usage(tests.id('acme'), 'api_requests', 5, tests.now() - interval '1 month');
select is(tests.used(), 14::bigint, 'in its own month');
select lives_ok($$select private.count_usage(tests.id('acme'), 'no_metric', 5, tests.now())$$, 'and nowhere when nobody asks for it');
select private.count_usage(tests.id('acme'), 'api_requests', 9223372036854775807, tests.now());
select is(tests.used(), 9223372036854775807, 'without a number that is too large');

-- the catalogue without a metric's own rate
select is(
  (select count(*) from private.usage_counters where organization_id = tests.id('globex')), 0::bigint, 'another tenant has no part in it'
);

select * from finish();
rollback;
