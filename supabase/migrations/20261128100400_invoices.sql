-- Invoices as Stripe has them, in the smallest unit of their currency. Only apply_stripe_object writes here.
set local lock_timeout = '5s';

create table public.invoices (
  stripe_invoice_id text primary key,
  organization_id uuid not null references public.organizations (id) on delete cascade,
  -- no foreign key: an invoice may be heard of before its subscription
  stripe_subscription_id text,
  number text,
  -- an open set
  status text not null,
  currency text not null constraint invalid_currency check (currency ~ '^[a-z]{3}$'),
  -- each as Stripe says, below zero too where credit outweighs: to refuse one would be to lose its events
  total bigint not null,
  subtotal bigint not null,
  tax bigint,
  amount_due bigint not null,
  amount_paid bigint not null,
  amount_remaining bigint not null,
  hosted_invoice_url text,
  invoice_pdf text,
  period_start timestamptz,
  period_end timestamptz,
  due_date timestamptz,
  paid_at timestamptz,
  lines jsonb not null default '[]' check (jsonb_typeof(lines) = 'array'),
  livemode boolean not null,
  created timestamptz not null,
  updated_at timestamptz not null default now()
);
comment on table public.invoices is 'Invoices as Stripe has them, in the smallest unit of their currency.';

create index invoices_newest on public.invoices (organization_id, created desc);
create index invoices_open on public.invoices (organization_id, stripe_subscription_id) where status = 'open';

alter table public.invoices enable row level security;

create trigger set_updated_at before update on public.invoices
  for each row execute function private.set_updated_at();

revoke all on public.invoices from public, anon, authenticated, service_role;
grant select on public.invoices to authenticated, service_role;

create policy "those who may see billing read invoices" on public.invoices
  as permissive for select to authenticated
  using (organization_id = any ((select private.orgs_with('billing.read'))::uuid[]));
