-- Workflows live in MongoDB; who may do what with them, and how many there may be, is decided here.
set local lock_timeout = '5s';

insert into public.permissions (key, description) values
  ('workflows.read', 'See workflows and their versions.'),
  ('workflows.write', 'Create, change, archive and delete workflows.'),
  ('workflows.publish', 'Publish workflows: what is published answers requests.');

insert into public.role_permissions (role_key, permission)
select role_key, permission
from (values
  ('owner', array['workflows.read', 'workflows.write', 'workflows.publish']),
  ('admin', array['workflows.read', 'workflows.write', 'workflows.publish']),
  ('developer', array['workflows.read', 'workflows.write', 'workflows.publish']),
  ('viewer', array['workflows.read'])
) as grants (role_key, permissions), unnest(permissions) as permission;

insert into public.entitlement_keys (key, unit, default_value, description) values
  ('workflows', 'count', 10, 'Workflows, archived ones included.'),
  ('artifact_bytes', 'bytes', 104857600, 'Bytes of generated files that are kept.'),
  ('cache_bytes', 'bytes', 52428800, 'Bytes of API responses that are cached.'),
  ('activity_days', 'days', 7, 'Days for which the activity log is kept.');

create function private.document_limits(p_organization_id uuid, p_permission text)
returns table (workflows bigint, artifact_bytes bigint, cache_bytes bigint, activity_days bigint)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if coalesce(auth.role(), 'service_role') <> 'service_role' then
    perform private.require_permission(p_organization_id, p_permission);
  end if;
  return query select
    private.entitlement(p_organization_id, 'workflows'),
    private.entitlement(p_organization_id, 'artifact_bytes'),
    private.entitlement(p_organization_id, 'cache_bytes'),
    private.entitlement(p_organization_id, 'activity_days');
end
$$;

create function public.document_limits(p_organization_id uuid, p_permission text)
returns table (workflows bigint, artifact_bytes bigint, cache_bytes bigint, activity_days bigint)
language sql stable
set search_path = ''
as $$ select * from private.document_limits(p_organization_id, p_permission) $$;
comment on function public.document_limits is
  'What the organization''s plan lets it keep as documents (null: no limit), for those who have the permission they name. Codes (hint): not_permitted.';

grant execute on function private.document_limits, public.document_limits to authenticated, service_role;
