-- Who changed what, when and from where: one row for each change, in the change's own transaction, chained by
-- hash within its organization. It outlives the organization, so nothing here references one.
set local lock_timeout = '5s';

create table public.audit_log (
  organization_id uuid not null,
  -- 1, 2, 3 … within the organization, without gaps
  seq bigint not null,
  occurred_at timestamptz not null,
  -- user, service (the secret key), or system (a job, an operator)
  actor_kind text not null,
  actor_id uuid,
  -- for whom a service says it acted: header x-on-behalf-of
  on_behalf_of uuid,
  -- memberships.insert, audit.export …
  action text not null,
  object_id text,
  -- the columns that changed, with secrets redacted
  before jsonb,
  after jsonb,
  request_id text,
  ip inet,
  previous_hash bytea not null,
  hash bytea not null,
  primary key (organization_id, seq, occurred_at)
) partition by range (occurred_at);
comment on table public.audit_log is 'Every change of every core table. Append-only, hash-chained per organization.';

create index audit_log_by_time on public.audit_log (organization_id, occurred_at);

alter table public.audit_log enable row level security;
revoke all on public.audit_log from public, anon, authenticated, service_role;
grant select on public.audit_log to authenticated, service_role;

insert into public.permissions (key, description) values
  ('audit.read', 'Read, verify and export the audit log.');
insert into public.role_permissions (role_key, permission) values
  ('owner', 'audit.read'), ('admin', 'audit.read');

create policy "those who may read the audit log" on public.audit_log
  as permissive for select to authenticated
  using (organization_id = any ((select private.orgs_with('audit.read'))::uuid[]));

-- Where each chain stands: the row that its writers take turns on.
create table private.audit_chains (
  organization_id uuid primary key,
  seq bigint not null default 0,
  hash bytea not null default '\x'
);
alter table private.audit_chains enable row level security;

-- Not even their owner changes rows; who disables this trigger is found out by verify_audit_chain.
create function private.refuse_change() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  raise exception using errcode = '42501', hint = 'append_only', message = 'The audit log is append-only.';
end
$$;

create trigger append_only before update or delete on public.audit_log
  for each row execute function private.refuse_change();
create trigger append_only_truncate before truncate on public.audit_log
  for each statement execute function private.refuse_change();
