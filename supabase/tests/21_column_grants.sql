-- Promise: what is not the client's to write cannot be written, in rows that are otherwise theirs.
begin;
\ir support/tenants.psql
select plan(7);

select tests.sign_in('owner');

select throws_ok(
  format('update public.%I set %I = %s where true', table_name, column_name, value),
  '42501', null, format('%s.%s', table_name, column_name)
)
from (values
  ('organizations', 'id', 'gen_random_uuid()'),
  ('organizations', 'created_by', 'null'),
  ('applications', 'id', 'gen_random_uuid()'),
  ('applications', 'created_by', 'null'),
  ('applications', 'created_at', 'now()'),
  ('users', 'email', $$'root@example.com'$$),
  ('roles', 'organization_id', 'null')
) as forbidden (table_name, column_name, value);

select * from finish();
rollback;
