-- How many members an organization may have. Billing sets it; null is no limit.
set local lock_timeout = '5s';

alter table public.organizations add column seat_limit integer
  constraint invalid_seat_limit check (seat_limit >= 1);
comment on column public.organizations.seat_limit is 'Most members, set by the plan; null is no limit.';
