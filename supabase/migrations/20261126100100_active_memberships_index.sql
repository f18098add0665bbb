set lock_timeout = '5s';

create index concurrently memberships_active_user on public.memberships (user_id)
  include (organization_id, role_scope_id, role_key) where active;
