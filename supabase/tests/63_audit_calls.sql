-- Promise: a privileged call leaves a trace, and whoever may write one writes nothing else.
begin;
\ir support/tenants.psql
select plan(10);

create function tests.log_call(p_action text, p_details text default '{}') returns text
language sql
as $$
  select tests.outcome(format('select public.log_audit_call(%L, %L, %L)', tests.id('acme'), p_action, p_details))
$$;

select is(tests.log_call('audit.export'), 'denied', name || ' logs no call')
from unnest(array['developer', 'viewer', 'outsider', 'anon', 'service_role']) as name,
  lateral (select tests.sign_in(name)) as signed_in;

select tests.sign_in('admin');
select is(tests.log_call('memberships.delete'), '22023 unknown_action', 'no action is made up');
select is(tests.log_call('audit.export', '[]'), '22023 invalid_details', 'details are an object');
select is(
  tests.log_call('audit.export', jsonb_build_object('x', repeat('x', 2048))::text), '22023 invalid_details',
  'of a size that fits'
);
create temporary table logged as select public.log_audit_call(tests.id('acme'), 'audit.export', '{"format": "csv"}') as seq;
select tests.become_postgres();
select results_eq(
  $$select actor_kind, actor_id, action, after from public.audit_log
    where organization_id = tests.id('acme') and seq = (select seq from logged)$$,
  $$values ('user', tests.id('admin'), 'audit.export', '{"format": "csv"}'::jsonb)$$, 'who called what is there'
);
select is(
  (select reason from private.verify_audit_chain(tests.id('acme'), null, null)), null, 'in the chain'
);

select * from finish();
rollback;
