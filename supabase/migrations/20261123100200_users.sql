-- The profile of auth.users: made with it, gone with it.
set local lock_timeout = '5s';

create table public.users (
  id uuid primary key references auth.users (id) on delete cascade,
  email text,
  name text constraint invalid_user_name check (private.is_name(name)),
  avatar_url text constraint invalid_avatar_url
    check (avatar_url ~ '^https://[^[:space:][:cntrl:]<>"]+$' and char_length(avatar_url) <= 2048),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.users is 'Profiles, one for each account. Members of an organization see each other.';
comment on column public.users.email is 'Follows auth.users.email.';

alter table public.users enable row level security;

create trigger set_updated_at before update on public.users
  for each row execute function private.set_updated_at();

-- A name that the profile would refuse must not refuse the sign-up: it is left out.
create function private.profile_name(p_metadata jsonb) returns text
language sql immutable
set search_path = ''
as $$
  select candidate
  from (values (1, p_metadata ->> 'name'), (2, p_metadata ->> 'full_name')) as given (priority, name),
    lateral (select btrim(given.name)) as trimmed (candidate)
  where private.is_name(candidate)
  order by priority
  limit 1
$$;

create function private.create_profile() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into public.users (id, email, name)
  values (new.id, new.email, private.profile_name(new.raw_user_meta_data))
  on conflict (id) do nothing;
  return null;
end
$$;

create function private.follow_email() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  update public.users set email = new.email where id = new.id;
  return null;
end
$$;

create trigger create_profile after insert on auth.users
  for each row execute function private.create_profile();

create trigger follow_email after update of email on auth.users
  for each row when (new.email is distinct from old.email)
  execute function private.follow_email();

-- Accounts that were here before this migration.
insert into public.users (id, email, name)
select id, email, private.profile_name(raw_user_meta_data) from auth.users
on conflict (id) do nothing;
