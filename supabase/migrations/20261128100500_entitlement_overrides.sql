-- What was agreed on with one organization, past its plan. Operators write it with the secret key; it is audited.
set local lock_timeout = '5s';

create table public.entitlement_overrides (
  organization_id uuid not null references public.organizations (id) on delete cascade,
  key text not null references public.entitlement_keys (key),
  -- null is no limit
  value bigint check (value >= 0),
  reason text not null constraint missing_reason check (btrim(reason) <> '' and char_length(reason) <= 500),
  -- null: for good
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (organization_id, key)
);
comment on table public.entitlement_overrides is 'What one organization is granted instead of what its plan grants.';
create index entitlement_overrides_key on public.entitlement_overrides (key);

alter table public.entitlement_overrides enable row level security;

create trigger set_updated_at before update on public.entitlement_overrides
  for each row execute function private.set_updated_at();
select private.audit_table('public.entitlement_overrides', 'organization_id', 'key');

revoke all on public.entitlement_overrides from public, anon, authenticated, service_role;
grant select on public.entitlement_overrides to authenticated;
grant select, insert, update, delete on public.entitlement_overrides to service_role;

create policy "those who may see billing read what was agreed on" on public.entitlement_overrides
  as permissive for select to authenticated
  using (organization_id = any ((select private.orgs_with('billing.read'))::uuid[]));
