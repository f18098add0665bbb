-- Promise: artifacts, activity and schema intelligence are for the roles that were meant, in their own organization.
begin;
\ir support/tenants.psql
select plan(9);

create function tests.permitted(p_name text, p_organization text) returns text
language plpgsql
as $$
declare
  permitted text;
begin
  perform tests.sign_in(p_name);
  select string_agg(permission, ' ' order by permission)
  into permitted
  from unnest(array['activity.read', 'artifacts.read', 'artifacts.write', 'schema.read', 'schema.write']) as permission
  where public.has_permission(tests.id(p_organization), permission);
  return coalesce(permitted, 'none');
end
$$;

select is(
  tests.permitted(name, 'acme'), 'activity.read artifacts.read artifacts.write schema.read schema.write',
  format('%s: all of it', name)
) from unnest(array['owner', 'admin', 'developer']) as name;
select is(tests.permitted('viewer', 'acme'), 'activity.read artifacts.read schema.read', 'a viewer reads');
select is(tests.permitted('billing', 'acme'), 'none', 'billing does not');
select is(tests.permitted('owner', 'globex'), 'none', 'nobody in another organization');
select is(tests.permitted('nobody', 'acme'), 'none', 'nobody without a membership');

select tests.sign_in('viewer');
select throws_ok(
  $$select public.document_limits(tests.id('acme'), 'artifacts.write')$$, '42501', null, 'who may not write learns no limits'
);
select tests.sign_in('developer');
select is(
  (select artifact_bytes from public.document_limits(tests.id('acme'), 'artifacts.write')), 104857600::bigint,
  'who may learns them'
);

select * from finish();
rollback;
