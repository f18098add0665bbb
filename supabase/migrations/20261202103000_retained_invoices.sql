-- Invoices outlive their organization: the law asks for them for years after it is purged.
set local lock_timeout = '5s';

create table private.retained_invoices (
  organization_id uuid not null,
  stripe_invoice_id text not null,
  -- The row of public.invoices as it was, by column.
  invoice jsonb not null,
  retained_at timestamptz not null default now(),
  primary key (organization_id, stripe_invoice_id)
);
comment on table private.retained_invoices is
  'Invoices of organizations that were purged. Nothing deletes them: whoever answers for the accounts does, when the law allows.';

alter table private.retained_invoices enable row level security;
revoke all on private.retained_invoices from public, anon, authenticated, service_role;

create function private.retain_invoices() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  -- A draft was never sent, and is deleted at Stripe as well.
  insert into private.retained_invoices (organization_id, stripe_invoice_id, invoice)
  select organization_id, stripe_invoice_id, to_jsonb(removed) from removed where status <> 'draft'
  on conflict do nothing;
  return null;
end
$$;

create trigger retain after delete on public.invoices
  referencing old table as removed
  for each statement execute function private.retain_invoices();
