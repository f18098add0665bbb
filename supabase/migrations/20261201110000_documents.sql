-- Artifacts, activity and schema intelligence live in MongoDB; who may do what with them is decided here.
set local lock_timeout = '5s';

insert into public.permissions (key, description) values
  ('activity.read', 'See what people, keys and servers did.'),
  ('artifacts.read', 'See and download generated files.'),
  ('artifacts.write', 'Store and delete generated files.'),
  ('schema.read', 'See how connected databases look, and what changed.'),
  ('schema.write', 'Describe tables and columns, and mark personal data.');

insert into public.role_permissions (role_key, permission)
select role_key, permission
from (values
  ('owner', array['activity.read', 'artifacts.read', 'artifacts.write', 'schema.read', 'schema.write']),
  ('admin', array['activity.read', 'artifacts.read', 'artifacts.write', 'schema.read', 'schema.write']),
  ('developer', array['activity.read', 'artifacts.read', 'artifacts.write', 'schema.read', 'schema.write']),
  ('viewer', array['activity.read', 'artifacts.read', 'schema.read'])
) as grants (role_key, permissions), unnest(permissions) as permission;
