-- The tenant. Everything a tenant owns carries organization_id.
set local lock_timeout = '5s';

create table public.organizations (
  id uuid primary key default gen_random_uuid(),
  name text not null constraint invalid_organization_name check (private.is_name(name)),
  slug text not null constraint slug_taken unique
    constraint invalid_slug check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and char_length(slug) between 3 and 48)
    -- Words that a front end or a gateway uses as paths and host names.
    constraint slug_reserved check (
      slug <> all (array[
        'about', 'account', 'admin', 'api', 'app', 'assets', 'auth', 'billing', 'blog', 'cdn', 'dashboard',
        'docs', 'functions', 'graphql', 'health', 'help', 'internal', 'invitations', 'login', 'logout', 'mail',
        'nectar', 'new', 'null', 'oauth', 'organizations', 'pricing', 'private', 'public', 'realtime', 'rest',
        'root', 'settings', 'signup', 'static', 'status', 'storage', 'support', 'system', 'undefined', 'user',
        'users', 'webhooks', 'www'
      ])
    ),
  settings jsonb not null default '{}' constraint invalid_settings
    check (jsonb_typeof(settings) = 'object' and octet_length(settings::text) <= 16384),
  created_by uuid references public.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.organizations is 'Tenants.';
comment on column public.organizations.settings is 'The tenant''s own settings: a JSON object of at most 16 KiB.';

create index organizations_created_by on public.organizations (created_by);

alter table public.organizations enable row level security;

create trigger set_updated_at before update on public.organizations
  for each row execute function private.set_updated_at();
