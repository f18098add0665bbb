-- The catalogue of what can be permitted. Each permission comes with the migration that first checks it.
set local lock_timeout = '5s';

create table public.permissions (
  key text primary key constraint invalid_permission_key check (key ~ '^[a-z_]+\.[a-z]+$'),
  description text not null
);
comment on table public.permissions is 'What can be permitted, with a sentence for each.';

alter table public.permissions enable row level security;

insert into public.permissions (key, description) values
  ('organizations.read', 'See the organization, its roles and what they permit.'),
  ('organizations.update', 'Change the organization''s name, slug and settings.'),
  ('members.read', 'See who belongs to the organization, and in which role.'),
  ('members.manage', 'Add and remove members and change their roles, up to one''s own.'),
  ('roles.manage', 'Define roles for the organization, from permissions one has.');
