-- Threat: a caller who can run SQL makes types of their own, and a definer function takes them for the catalogue's:
-- temporary types are looked up first unless the search_path names pg_temp. The calls stand first in their session,
-- before plans are kept.
begin;
\ir support/tenants.psql
select plan(3);

select tests.become('authenticated', jsonb_build_object('sub', tests.id('viewer'), 'role', 'authenticated'));
create function pg_temp.reveal(p_value text) returns boolean language plpgsql as $$
begin
  raise exception 'Code of the caller runs as %.', current_user;
end
$$;
create domain pg_temp.uuid as pg_catalog.text check (pg_temp.reveal(value));
create domain pg_temp.text as pg_catalog.text check (pg_temp.reveal(value));
create domain pg_temp.jsonb as pg_catalog.text check (pg_temp.reveal(value));

create temporary table answers as
select private.orgs_with('applications.read') as orgs, private.visible_users() as users,
  private.reaches_role(tests.id('acme'), 'viewer') as reaches, created.slug
from private.create_organization('Mine', 'mine-with-types') as created;

drop domain pg_temp.uuid, pg_temp.text, pg_temp.jsonb;
select is(orgs, array[tests.id('acme')], 'orgs_with knows its types') from answers;
select ok(tests.id('spare') = any (users) and reaches, 'visible_users and reaches_role too') from answers;
select is(slug, 'mine-with-types', 'and create_organization') from answers;

select * from finish();
rollback;
