-- Promise: a user in 500 organizations, more than a token holds, has exactly those.
begin;
\ir support/tenants.psql
select plan(5);

insert into public.organizations (name, slug) select 'Many', 'many-' || n from generate_series(1, 600) as n;
insert into public.applications (organization_id, name, slug)
select id, 'One', 'one' from public.organizations where slug ~ '^many-';
insert into public.memberships (organization_id, user_id, role_key)
select id, tests.id('nobody'), case when slug < 'many-3' then 'viewer' else 'billing' end
from public.organizations where slug ~ '^many-' order by slug limit 500;

create temporary table expected as
select count(*) as organizations, count(*) filter (where role_key = 'viewer') as applications
from public.memberships where user_id = tests.id('nobody');
grant select on expected to authenticated;

select tests.sign_in('nobody');
select is((select count(*) from public.organizations), 500::bigint, 'every organization is there');
select is(
  (select count(*) from public.applications), (select applications from expected),
  'applications of those where the role permits it'
);
select is_empty(
  $$select from public.applications where organization_id = tests.id('acme')$$, 'and of no other'
);

select tests.become_postgres();
delete from public.memberships
where user_id = tests.id('nobody')
  and organization_id = (select id from public.organizations where slug = 'many-1');
select tests.sign_in('nobody');
select is((select count(*) from public.organizations), 499::bigint, 'one less after a removal');
select is_empty($$select from public.organizations where slug = 'many-1'$$, 'the right one');

select * from finish();
rollback;
