-- The tenant's first own object: what its API keys, workflows and usage will belong to.
set local lock_timeout = '5s';

create table public.applications (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  name text not null constraint invalid_application_name check (private.is_name(name)),
  slug text not null constraint invalid_application_slug
    check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and char_length(slug) between 1 and 48),
  description text not null default '' constraint invalid_application_description
    check (char_length(description) <= 2000),
  created_by uuid default auth.uid() references public.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint application_slug_taken unique (organization_id, slug),
  -- Children point here with both columns: none can belong to another tenant than its application.
  unique (organization_id, id)
);
comment on table public.applications is 'What a tenant builds. Children reference (organization_id, id).';

create index applications_created_by on public.applications (created_by);

alter table public.applications enable row level security;

create trigger set_updated_at before update on public.applications
  for each row execute function private.set_updated_at();

insert into public.permissions (key, description) values
  ('applications.read', 'See the organization''s applications.'),
  ('applications.write', 'Create, change and delete applications.');

insert into public.role_permissions (role_key, permission) values
  ('owner', 'applications.read'), ('owner', 'applications.write'),
  ('admin', 'applications.read'), ('admin', 'applications.write'),
  ('developer', 'applications.read'), ('developer', 'applications.write'),
  ('viewer', 'applications.read');

revoke all on public.applications from public, anon, authenticated, service_role;
grant
  select,
  insert (organization_id, name, slug, description),
  update (name, slug, description),
  delete
  on public.applications to authenticated;
grant select, insert, update, delete on public.applications to service_role;

create policy "members read applications" on public.applications
  as permissive for select to authenticated
  using (organization_id = any ((select private.orgs_with('applications.read'))::uuid[]));

create policy "members create applications" on public.applications
  as permissive for insert to authenticated
  with check (organization_id = any ((select private.orgs_with('applications.write'))::uuid[]));

create policy "members update applications" on public.applications
  as permissive for update to authenticated
  using (organization_id = any ((select private.orgs_with('applications.write'))::uuid[]));

create policy "members delete applications" on public.applications
  as permissive for delete to authenticated
  using (organization_id = any ((select private.orgs_with('applications.write'))::uuid[]));
