-- Promise: what is granted is what stands here, to the column. What is not the client's to write cannot be
-- written, in rows that are otherwise theirs.
begin;
\ir support/tenants.psql
select plan(5);

create temporary table granted (table_name text, grantee text, privilege text, columns text);
insert into granted values
  ('api_keys', 'authenticated', 'SELECT', '*'),
  ('applications', 'authenticated', 'SELECT', '*'),
  ('applications', 'authenticated', 'INSERT', 'description environments name organization_id slug'),
  ('applications', 'authenticated', 'UPDATE', 'archived_at description environments name slug'),
  ('applications', 'authenticated', 'DELETE', '*'),
  ('audit_log', 'authenticated', 'SELECT', '*'),
  ('database_connections', 'authenticated', 'SELECT', '*'),
  ('database_connections', 'authenticated', 'DELETE', '*'),
  ('entitlement_keys', 'authenticated', 'SELECT', '*'),
  ('entitlement_overrides', 'authenticated', 'SELECT', '*'),
  ('invoices', 'authenticated', 'SELECT', '*'),
  ('organization_entitlements', 'authenticated', 'SELECT', '*'),
  ('plan_limits', 'authenticated', 'SELECT', '*'),
  ('plan_prices', 'authenticated', 'SELECT', '*'),
  ('plans', 'authenticated', 'SELECT', '*'),
  ('subscription_items', 'authenticated', 'SELECT', '*'),
  ('subscriptions', 'authenticated', 'SELECT', '*'),
  ('invitations', 'authenticated', 'SELECT', 'created_at email expires_at id invited_by organization_id role_key role_scope_id updated_at'),
  ('invitations', 'service_role', 'SELECT', 'created_at email expires_at id invited_by organization_id role_key role_scope_id updated_at'),
  ('memberships', 'authenticated', 'SELECT', '*'),
  ('organizations', 'authenticated', 'SELECT', '*'),
  ('organizations', 'authenticated', 'UPDATE', 'name settings slug'),
  ('ownership_offers', 'authenticated', 'SELECT', '*'),
  ('permissions', 'authenticated', 'SELECT', '*'),
  ('role_permissions', 'authenticated', 'SELECT', '*'),
  ('role_permissions', 'authenticated', 'INSERT', 'organization_id permission role_key'),
  ('role_permissions', 'authenticated', 'DELETE', '*'),
  ('roles', 'authenticated', 'SELECT', '*'),
  ('roles', 'authenticated', 'INSERT', 'description key name organization_id'),
  ('roles', 'authenticated', 'UPDATE', 'description name'),
  ('roles', 'authenticated', 'DELETE', '*'),
  ('organization_limits', 'authenticated', 'SELECT', '*'),
  ('request_log', 'authenticated', 'SELECT', '*'),
  ('usage_days', 'authenticated', 'SELECT', '*'),
  ('usage_events', 'authenticated', 'SELECT', '*'),
  ('usage_hours', 'authenticated', 'SELECT', '*'),
  ('usage_tail', 'authenticated', 'SELECT', '*'),
  ('users', 'authenticated', 'SELECT', '*'),
  ('users', 'authenticated', 'UPDATE', 'avatar_url name');
insert into granted
select table_name, 'service_role', privilege, '*'
from (values
  ('api_keys', 'SELECT'),
  ('applications', 'SELECT INSERT UPDATE DELETE'),
  ('audit_log', 'SELECT'),
  ('database_connections', 'SELECT DELETE'),
  ('entitlement_keys', 'SELECT'),
  ('entitlement_overrides', 'SELECT INSERT UPDATE DELETE'),
  ('invoices', 'SELECT'),
  ('organization_entitlements', 'SELECT'),
  ('plan_limits', 'SELECT'),
  ('plan_prices', 'SELECT'),
  ('plans', 'SELECT'),
  ('subscription_items', 'SELECT'),
  ('subscriptions', 'SELECT'),
  ('invitations', 'DELETE'),
  ('memberships', 'SELECT INSERT UPDATE DELETE'),
  ('organizations', 'SELECT INSERT UPDATE DELETE'),
  ('ownership_offers', 'SELECT DELETE'),
  ('permissions', 'SELECT'),
  ('role_permissions', 'SELECT INSERT DELETE'),
  ('roles', 'SELECT INSERT UPDATE DELETE'),
  ('organization_limits', 'SELECT'),
  ('request_log', 'SELECT'),
  ('usage_days', 'SELECT'),
  ('usage_events', 'SELECT'),
  ('usage_hours', 'SELECT'),
  ('usage_tail', 'SELECT'),
  ('users', 'SELECT UPDATE')
) as served (table_name, privileges), string_to_table(privileges, ' ') as privilege;

select set_eq(
  $$select relname::text, coalesce(rolname, 'PUBLIC')::text, privilege_type, columns
    from (
      select relname, (aclexplode(relacl)).*, '*' as columns
      from pg_class where relnamespace in ('public'::regnamespace, 'private'::regnamespace)
      union all
      select relname, grantor, grantee, privilege_type, is_grantable, string_agg(attname, ' ' order by attname)
      from (
        select relname, attname, (aclexplode(attacl)).*
        from pg_attribute join pg_class on pg_class.oid = attrelid
        where relnamespace in ('public'::regnamespace, 'private'::regnamespace)
      ) as by_column
      group by relname, grantor, grantee, privilege_type, is_grantable
    ) as found
    left join pg_roles on pg_roles.oid = grantee
    where rolname is distinct from current_user$$,
  'table granted',
  'every privilege on every table, sequence and view, to the column'
);

select set_eq(
  $$select nspname::text, coalesce(rolname, 'PUBLIC')::text, privilege_type
    from (
      select nspname, (aclexplode(nspacl)).* from pg_namespace where nspname in ('public', 'private')
    ) as found
    left join pg_roles on pg_roles.oid = grantee
    where coalesce(rolname, 'PUBLIC') in ('PUBLIC', 'anon', 'authenticated', 'authenticator')
      and (nspname, privilege_type) <> ('public', 'USAGE')$$,
  $$values ('private', 'authenticated', 'USAGE')$$,
  'clients create nothing, and anon does not get to private'
);

select tests.sign_in('owner');
select throws_ok(
  $$update public.organizations set created_by = null where id = tests.id('acme')$$, '42501', null,
  'an owner does not rewrite who created the organization'
);
select throws_ok(
  $$insert into public.applications (organization_id, name, slug, created_by)
    values (tests.id('acme'), 'Signed', 'signed', tests.id('viewer'))$$, '42501', null,
  'nor creates in the name of somebody else'
);
insert into public.applications (organization_id, name, slug) values (tests.id('acme'), 'Signed', 'signed');
select is(
  (select created_by from public.applications where slug = 'signed'), tests.id('owner'), 'who creates is written down'
);

select * from finish();
rollback;
