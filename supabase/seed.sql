-- Two demo tenants, for development: a deploy does not push the seed. The password of both users is nectar-demo.

insert into auth.users (
  id, instance_id, aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data, raw_user_meta_data,
  created_at, updated_at,
  -- GoTrue reads these as text that is not null
  confirmation_token, recovery_token, email_change, email_change_token_new
)
select
  id, '00000000-0000-0000-0000-000000000000', 'authenticated', 'authenticated', email,
  extensions.crypt('nectar-demo', extensions.gen_salt('bf')), now(),
  '{"provider": "email", "providers": ["email"]}', jsonb_build_object('name', name), now(), now(), '', '', '', ''
from (values
  ('ada00000-0000-4000-8000-000000000001'::uuid, 'ada@example.com', 'Ada Lovelace'),
  ('9ace0000-0000-4000-8000-000000000002'::uuid, 'grace@example.com', 'Grace Hopper')
) as demo (id, email, name);

insert into auth.identities (provider_id, user_id, provider, identity_data, last_sign_in_at, created_at, updated_at)
select id::text, id, 'email', jsonb_build_object('sub', id, 'email', email, 'email_verified', true), now(), now(), now()
from auth.users
where email in ('ada@example.com', 'grace@example.com');

insert into public.organizations (id, name, slug, created_by) values
  ('0a000000-0000-4000-8000-000000000001', 'Analytical Engines', 'analytical-engines', 'ada00000-0000-4000-8000-000000000001'),
  ('0a000000-0000-4000-8000-000000000002', 'Compiler Works', 'compiler-works', '9ace0000-0000-4000-8000-000000000002');

insert into public.memberships (organization_id, user_id, role_key) values
  ('0a000000-0000-4000-8000-000000000001', 'ada00000-0000-4000-8000-000000000001', 'owner'),
  ('0a000000-0000-4000-8000-000000000001', '9ace0000-0000-4000-8000-000000000002', 'developer'),
  ('0a000000-0000-4000-8000-000000000002', '9ace0000-0000-4000-8000-000000000002', 'owner');

insert into public.applications (organization_id, name, slug, description, created_by) values
  ('0a000000-0000-4000-8000-000000000001', 'Difference Engine', 'difference-engine', 'Tabulates polynomials.',
    'ada00000-0000-4000-8000-000000000001'),
  ('0a000000-0000-4000-8000-000000000001', 'Loom', 'loom', 'Weaves algebraical patterns.',
    'ada00000-0000-4000-8000-000000000001'),
  ('0a000000-0000-4000-8000-000000000002', 'A-0', 'a-0', 'Links subroutines.',
    '9ace0000-0000-4000-8000-000000000002');
