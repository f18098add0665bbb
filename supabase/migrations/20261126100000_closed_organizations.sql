-- A closed organization is out of everybody's reach at once, but for its owners, who can restore it for 30 days.
set local lock_timeout = '5s';

alter table public.organizations add column closed_at timestamptz;
comment on column public.organizations.closed_at is 'Since when it is closed; purged 30 days later.';

-- False while the organization is closed: spares every policy a look at the organization.
alter table public.memberships add column active boolean not null default true;

insert into public.permissions (key, description) values
  ('organizations.delete', 'Close the organization, and restore it for 30 days.');
insert into public.role_permissions (role_key, permission) values ('owner', 'organizations.delete');
