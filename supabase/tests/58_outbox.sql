-- Promise: what is in the outbox is consumed at least once, by servers alone, whatever fails in between.
begin;
\ir support/tenants.psql
select plan(9);

delete from private.outbox;
insert into private.outbox (kind, organization_id)
select 'organization.purged', tests.id('acme') from generate_series(1, 3);

select tests.sign_in('owner');
select throws_ok($$select * from public.claim_outbox('organization.purged')$$, '42501', null, 'no user reads it');

select tests.sign_in('service_role');
create temporary table claimed as select * from public.claim_outbox('organization.purged', 2);
select is((select count(*) from claimed), 2::bigint, 'a consumer takes what it asked for');
select is((select count(*) from public.claim_outbox('organization.purged')), 1::bigint, 'the next takes the rest');
select is((select count(*) from public.claim_outbox('organization.purged')), 0::bigint, 'then there is none');
select is((select count(*) from public.claim_outbox('something.else')), 0::bigint, 'nor of another kind');

select public.complete_outbox(array[(select min(id) from claimed)]);
select public.fail_outbox((select max(id) from claimed), 'the store was away');
select tests.become_postgres();
select results_eq(
  $$select last_error from private.outbox where leased_until > now() + interval '59 seconds' and last_error is not null$$,
  $$values ('the store was away')$$, 'a failure is kept, and waits'
);
-- The consumer of the third died: its lease runs out.
update private.outbox set leased_until = now() where done_at is null;
select tests.sign_in('service_role');
select is(
  (select array_agg(attempts order by id) from public.claim_outbox('organization.purged')), array[2, 2],
  'what was not completed comes again'
);
select tests.become_postgres();
select is((select count(*) from private.outbox where done_at is not null), 1::bigint, 'what was completed does not');
update private.outbox set done_at = now() - interval '31 days' where done_at is not null;
select is(private.delete_done_outbox(), 1, 'and is forgotten after a month');

select * from finish();
rollback;
