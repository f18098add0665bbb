-- Promise: tenants define roles from what they have; a change holds at once; deleting one leaves nobody without.
begin;
\ir support/tenants.psql
select plan(16);

create function tests.save(p_key text, p_permissions text[]) returns text
language sql
as $$
  select tests.outcome(format('select public.save_role(%L, %L, ''Name'', %L)', tests.id('acme'), p_key, p_permissions))
$$;

select tests.sign_in('admin');
select lives_ok(
  format('select public.save_role(%L, ''custom:support'', ''Support'', %L)', tests.id('acme'), '{organizations.read,applications.read}'),
  'created with permissions'
);
select public.change_member_role(tests.id('acme'), tests.id('spare'), 'custom:support');
select tests.sign_in('spare');
select isnt_empty('select from public.applications', 'a member with it has them');
select tests.sign_in('admin');
select public.save_role(tests.id('acme'), 'custom:support', 'Support', '{organizations.read}');
select tests.sign_in('spare');
select is_empty('select from public.applications', 'and loses at once what is taken from it');

select tests.sign_in('admin');
select is(tests.save('support', '{}'), '23514', 'a tenant''s role key begins with custom:');
select is(tests.save('owner', '{}'), '23514', 'the system''s roles are not the tenant''s');
select is(tests.save('custom:new', '{organizations.delete}'), 'denied', 'a permission that one lacks is not given');
select is(tests.save('custom:new', '{all.things}'), '22023 unknown_permission', 'nor one that there is not');
select tests.sign_in('viewer');
select is(tests.save('custom:new', '{}'), 'denied', 'a viewer defines none');
select tests.sign_in('outsider');
select is(tests.save('custom:new', '{}'), 'denied', 'nor does a stranger');

select tests.sign_in('admin');
select is(
  tests.outcome(format('select public.delete_role(%L, ''custom:support'')', tests.id('acme'))), 'PT409 role_in_use',
  'a role in use is not deleted'
);
select is(
  tests.outcome(format('select public.delete_role(%L, ''custom:support'', ''owner'')', tests.id('acme'))), 'denied',
  'its members are not raised above one'
);
select is(
  tests.outcome(format('select public.delete_role(%L, ''custom:foreign'')', tests.id('acme'))), 'PT404 role_not_found',
  'another tenant''s is not there'
);
select lives_ok(
  format('select public.delete_role(%L, ''custom:support'', ''viewer'')', tests.id('acme')), 'with another role it is'
);
select results_eq(
  $$select role_key from public.memberships where user_id = tests.id('spare')$$, $$values ('viewer')$$,
  'which its members now have'
);

-- Nobody makes roles without end: a hundred.
select tests.sign_in('admin');
select is(
  tests.outcome(format(
    $$insert into public.roles (organization_id, key, name) select %L, 'custom:many-' || n, 'Many' from generate_series(1, %s) as n$$,
    tests.id('acme'), many
  )), expected, description
)
from (select 100 - count(*) from public.roles where organization_id = tests.id('acme')) as room (left_over), lateral (values
  (left_over, 'yes', 'an organization has a hundred roles of its own'),
  (left_over + 1, 'PT429 too_many_roles', 'and no more')
) as cases (many, expected, description);

select * from finish();
rollback;
