-- public is the API. private holds what the API must not show: definer functions, secrets, ledgers.
-- Definer functions have `search_path = pg_catalog, pg_temp`: with an empty one, a caller's temporary types would
-- be looked up before the catalogue's, and run the caller's code with the owner's rights.
set local lock_timeout = '5s';

create schema private;
comment on schema private is 'Never exposed through the API: security definer functions, secrets, ledgers.';
grant usage on schema private to authenticated, service_role;

-- The platform grants every new object to the API roles (projects made before 2026), and PostgreSQL grants
-- every new function to public. From here on, what a migration does not grant is not granted.
alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;
alter default privileges in schema public revoke all on functions from anon, authenticated, service_role;
alter default privileges revoke execute on functions from public;
alter default privileges in schema extensions grant execute on functions to public;
