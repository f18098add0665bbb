set lock_timeout = '5s';

create index concurrently memberships_user_active on public.memberships (user_id)
  include (organization_id, role_scope_id, role_key, active);
