-- How often a person and an organization may have databases tested: a tester without limits is a scanner.
set local lock_timeout = '5s';

create function private.take_connection_test(p_organization_id uuid) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  per_hour bigint;
  wait double precision;
begin
  perform private.require_permission(p_organization_id, 'connections.manage');
  per_hour := private.entitlement(p_organization_id, 'connection_tests.per_hour');
  wait := case per_hour when 0 then 3600 else 0 end;
  if wait = 0 then
    -- A person in many organizations is one person. Persons first, everywhere: the order of locks.
    wait := private.take_token('connection_tests:user:' || auth.uid(), 10, 1.0 / 6);
  end if;
  if wait = 0 and per_hour is not null then
    wait := private.take_token('connection_tests:organization:' || p_organization_id, greatest(1, per_hour / 6.0), per_hour / 3600.0);
  end if;
  if wait > 0 then
    -- The exception gives back what was taken before.
    raise exception using errcode = 'PT429', hint = 'too_many_tests', detail = ceil(wait)::text,
      message = format('Too many tests. Try again in %s seconds.', ceil(wait));
  end if;
end
$$;

create function public.take_connection_test(p_organization_id uuid) returns void
language sql
set search_path = ''
as $$ select private.take_connection_test(p_organization_id) $$;
comment on function public.take_connection_test is
  'Counts a test against the caller''s and the organization''s limits. Codes (hint): not_permitted, too_many_tests (details: seconds to wait).';

grant execute on function private.take_connection_test, public.take_connection_test to authenticated;
