-- Promise: applications are created, renamed, archived, restored and deleted, with settings that are valid.
begin;
\ir support/tenants.psql
select plan(16);

select tests.sign_in('developer');
select lives_ok(
  $$update public.applications set name = 'Rocket II', slug = 'rocket-2' where id = tests.id('rocket')$$, 'renamed'
);
select lives_ok(
  $$update public.applications set archived_at = '2001-01-01' where id = tests.id('rocket')$$, 'archived'
);
select is((select archived_at from public.applications where id = tests.id('rocket')), now(), 'at the time it happened');
select is(
  tests.outcome($$update public.applications set name = 'Rocket III' where id = tests.id('rocket')$$),
  'PT409 application_archived', 'an archived one does not change'
);
select lives_ok(
  $$update public.applications set archived_at = null, name = 'Rocket III' where id = tests.id('rocket')$$, 'restored'
);
select is(
  tests.outcome($$insert into public.applications (organization_id, name, slug) values (tests.id('acme'), 'Copy', 'rocket-2')$$),
  '23505', 'a slug is taken once in an organization'
);

select is(
  tests.outcome(format('update public.applications set environments = %L where id = %L', environments, tests.id('rocket'))),
  expected, environments
)
from (values
  ('{}', 'yes'),
  ('{"production": {"API_URL": "https://example.com", "RETRIES": 3, "DEBUG": false}, "test-2": {}}', 'yes'),
  ('[]', '23514'),
  ('null', '23514'),
  ('{"Production": {}}', '23514'),
  ('{"production": "x"}', '23514'),
  ('{"production": {"lower": 1}}', '23514'),
  ('{"production": {"NESTED": {}}}', '23514'),
  ('{"production": {"NOTHING": null}}', '23514')
) as given (environments, expected);

select is(
  tests.outcome($$delete from public.applications where id = tests.id('rocket')$$), 'yes', 'deleted'
);

select * from finish();
rollback;
