-- What other systems must still hear: written in the transaction that makes it true, consumed at least once.
set local lock_timeout = '5s';

create table private.outbox (
  id bigint generated always as identity primary key,
  kind text not null,
  organization_id uuid not null,
  payload jsonb not null default '{}',
  created_at timestamptz not null default now(),
  -- a consumer has it until then; another takes over when it does not report
  leased_until timestamptz not null default now(),
  attempts integer not null default 0,
  last_error text,
  done_at timestamptz
);
alter table private.outbox enable row level security;

create index outbox_open on private.outbox (kind, leased_until) where done_at is null;
create index outbox_done on private.outbox (done_at) where done_at is not null;

create function private.claim_outbox(p_kind text, p_limit integer, p_lease_seconds integer)
returns table (id bigint, organization_id uuid, payload jsonb, attempts integer)
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
  update private.outbox
  set leased_until = now() + make_interval(secs => p_lease_seconds), attempts = outbox.attempts + 1
  where outbox.id in (
    select open.id from private.outbox as open
    where open.kind = p_kind and open.done_at is null and open.leased_until <= now()
    order by open.id
    limit p_limit
    for update skip locked
  )
  returning outbox.id, outbox.organization_id, outbox.payload, outbox.attempts
$$;

create function private.complete_outbox(p_ids bigint[]) returns void
language sql security definer
set search_path = pg_catalog, pg_temp
as $$ update private.outbox set done_at = now(), last_error = null where id = any (p_ids) and done_at is null $$;

-- Waits longer after each failure: a minute, two, four … at most a day.
create function private.fail_outbox(p_id bigint, p_error text) returns void
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
  update private.outbox
  set last_error = left(p_error, 500),
    leased_until = now() + least(interval '1 minute' * 2 ^ least(attempts - 1, 11), interval '1 day')
  where id = p_id and done_at is null
$$;

create function public.claim_outbox(p_kind text, p_limit integer default 10, p_lease_seconds integer default 60)
returns table (id bigint, organization_id uuid, payload jsonb, attempts integer)
language sql
set search_path = ''
as $$ select * from private.claim_outbox(p_kind, p_limit, p_lease_seconds) $$;
create function public.complete_outbox(p_ids bigint[]) returns void
language sql
set search_path = ''
as $$ select private.complete_outbox(p_ids) $$;
create function public.fail_outbox(p_id bigint, p_error text) returns void
language sql
set search_path = ''
as $$ select private.fail_outbox(p_id, p_error) $$;

grant execute on function
  private.claim_outbox, private.complete_outbox, private.fail_outbox,
  public.claim_outbox, public.complete_outbox, public.fail_outbox
  to service_role;
