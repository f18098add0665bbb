-- Promise: buckets give what they hold, and then at their pace; tests of databases are limited per person and
-- organization.
begin;
\ir support/tenants.psql
select plan(18);

-- The bucket's time is the clock's: its pace here is so slow that the test's own seconds do not count.
create function tests.take(p_bucket text, p_capacity float, p_per_second float default 0.0001) returns boolean
language sql
as $$ select private.take_token(p_bucket, p_capacity, p_per_second) = 0 $$;

select is(array_agg(tests.take('three', 3)), '{t,t,t,f,f}', 'a bucket of three gives three') from generate_series(1, 5);
select ok(tests.take('other', 1), 'another bucket is another');
select ok(
  private.take_token('three', 3, 0.0001) between 9000 and 10000, 'and says how long until the next: 10,000 seconds, less what passed'
);
update private.token_buckets set full_at = full_at - interval '10000 seconds' where name = 'three';
select is(array_agg(tests.take('three', 3)), '{t,f}', 'then there is one, and one only') from generate_series(1, 2);
update private.token_buckets set full_at = now() - interval '1 year' where name = 'three';
select is(array_agg(tests.take('three', 3)), '{t,t,t,f}', 'however long it stood, it holds three') from generate_series(1, 4);
select is(array_agg(tests.take('half', 1.5)), '{t,f}', 'half a token is none') from generate_series(1, 2);
select throws_ok(format('select private.take_token(%L, %s)', 'odd', given), '22023', null, 'no bucket: ' || given)
from unnest(array['0, 1', '1, 0', '0.5, 1', '1, -1', 'null, 1']) as given;

-- bounded
select private.delete_full_buckets();
insert into private.token_buckets (name, full_at) values ('full', now() - interval '1 second');
select is(private.delete_full_buckets(), 1, 'a full bucket goes');
select is(private.delete_full_buckets(), 0, 'one that is not stays');

-- tests of databases
create function tests.tries(p_name text, p_organization text, p_count integer) returns text[]
language plpgsql
as $$
declare
  results text[];
begin
  perform tests.sign_in(p_name);
  for n in 1 .. p_count loop
    begin
      perform public.take_connection_test(tests.id(p_organization));
      results := array_append(results, 'yes');
    exception when others then
      results := array_append(results, sqlstate);
    end;
  end loop;
  perform tests.become_postgres();
  return results;
end
$$;
select is(tests.tries('owner', 'acme', 11), array_fill('yes'::text, array[10]) || 'PT429'::text, 'a person tries ten times');
select is(tests.tries('admin', 'acme', 1), array['PT429'], 'the organization has had its ten as well');
select is(tests.tries('outsider', 'globex', 1), array['yes'], 'another has its own');
update public.entitlement_keys set default_value = null where key = 'connection_tests.per_hour';
select is(tests.tries('admin', 'acme', 11), array_fill('yes'::text, array[10]) || 'PT429'::text,
  'without a limit for the organization, and with what was refused given back, each person still has their own');
update public.entitlement_keys set default_value = 0 where key = 'connection_tests.per_hour';
select is(tests.tries('developer', 'acme', 1), array['PT429'], 'a plan without tests has none');

select * from finish();
rollback;
