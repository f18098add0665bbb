-- Promise: what functions ask before they touch documents is answered for the organization and the moment asked about.
begin;
\ir support/tenants.psql
select plan(14);

create function tests.may(p_name text, p_organization text, p_permission text) returns text
language plpgsql
as $$
begin
  perform tests.sign_in(p_name);
  return tests.outcome(format(
    'select where public.has_permission(%L, %L)', tests.id(p_organization), p_permission
  ));
end
$$;

create function tests.limits(p_name text, p_organization text, p_permission text) returns text
language plpgsql
as $$
begin
  perform tests.sign_in(p_name);
  return tests.outcome(format(
    'select from public.document_limits(%L, %L)', tests.id(p_organization), p_permission
  ));
end
$$;

select is(tests.may('developer', 'acme', 'workflows.publish'), 'yes', 'a developer publishes');
select is(tests.may('viewer', 'acme', 'workflows.read'), 'yes', 'a viewer reads');
select is(tests.may('viewer', 'acme', 'workflows.write'), 'none', 'and does not write');
select is(tests.may('billing', 'acme', 'workflows.read'), 'none', 'billing does not read');
select is(tests.may('owner', 'globex', 'workflows.read'), 'none', 'nobody reads in another organization');
select is(tests.may('owner', 'acme', 'no.such'), 'none', 'nobody has a permission that is none');
select is(tests.may('nobody', 'acme', 'workflows.read'), 'none', 'nobody has it without a membership');
select is(tests.may('anon', 'acme', 'workflows.read'), 'denied', 'the public does not ask');

select is(tests.limits('developer', 'acme', 'workflows.write'), 'yes', 'who writes learns the limits');
select is(tests.limits('viewer', 'acme', 'workflows.write'), 'denied', 'who does not write does not');
select is(tests.limits('owner', 'globex', 'workflows.write'), 'denied', 'nor does another organization');
select is(tests.limits('owner', 'acme', null), 'denied', 'nor who names no permission');

select tests.sign_in('service_role');
select results_eq(
  $$select workflows, artifact_bytes, cache_bytes, activity_days from public.document_limits(tests.id('acme'), null)$$,
  $$values (10::bigint, 104857600::bigint, 52428800::bigint, 7::bigint)$$, 'a server asks for anybody'
);

select tests.sign_in('owner');
do $$ begin perform public.close_organization(tests.id('acme')); end $$;
select is(tests.may('owner', 'acme', 'workflows.read'), 'none', 'a closed organization permits nothing');

select * from finish();
rollback;
