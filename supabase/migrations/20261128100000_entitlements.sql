-- What a plan can grant. Each key comes with the migration that first asks for it, and with what the free plan has of it.
set local lock_timeout = '5s';

create table public.entitlement_keys (
  key text primary key check (key ~ '^[a-z_]+(\.[a-z_]+)*$'),
  unit text not null
    check (unit in ('count', 'bytes', 'days', 'per_second', 'per_month', 'feature')),
  -- null is no limit; a feature is 0 or 1
  default_value bigint check (default_value >= 0),
  description text not null
);
comment on table public.entitlement_keys is 'What a plan can grant, with what the free plan has of it; null is no limit.';

alter table public.entitlement_keys enable row level security;

revoke all on public.entitlement_keys from public, anon, authenticated, service_role;
grant select on public.entitlement_keys to authenticated, service_role;

create policy "everybody reads entitlement keys" on public.entitlement_keys
  as permissive for select to authenticated
  using (true);

insert into public.entitlement_keys (key, unit, default_value, description) values
  ('seats', 'count', 5, 'Members of the organization.'),
  ('applications', 'count', 3, 'Applications of the organization, archived ones too.');
