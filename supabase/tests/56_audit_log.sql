-- Threats: a change that leaves no trace, a trace that is bent afterwards, one that tells too much or to the wrong
-- people, one that dies with its organization.
begin;
\ir support/tenants.psql
select plan(33);

create function tests.last_entry(p_organization text default 'acme') returns public.audit_log
language sql
as $$
  select * from public.audit_log where organization_id = tests.id(p_organization) order by seq desc limit 1
$$;
create function tests.verified() returns text
language sql
as $$
  select coalesce(reason || ' ' || first_broken_seq, 'whole') from private.verify_audit_chain(tests.id('acme'), null, null)
$$;

-- who, what, from where
select tests.sign_in('developer');
select set_config('request.headers', '{"x-request-id": "req-1", "x-forwarded-for": "203.0.113.7, 10.0.0.1"}', true);
update public.applications set name = 'Rocket II' where id = tests.id('rocket');
select tests.become_postgres();
select results_eq(
  $$select actor_kind, actor_id, action, object_id, before, after, request_id, host(ip) from tests.last_entry()$$,
  $$values ('user', tests.id('developer'), 'applications.update', tests.id('rocket')::text,
    '{"name": "Rocket"}'::jsonb, '{"name": "Rocket II"}'::jsonb, 'req-1', '203.0.113.7')$$,
  'who, what, before and after, request and address'
);

select tests.sign_in('service_role');
select set_config('request.headers', format('{"x-on-behalf-of": "%s", "x-forwarded-for": "not an address"}', tests.id('viewer')), true);
update public.applications set name = 'Rocket III' where id = tests.id('rocket');
select tests.become_postgres();
select results_eq(
  $$select actor_kind, actor_id, on_behalf_of, ip from tests.last_entry()$$,
  $$values ('service', null::uuid, tests.id('viewer'), null::inet)$$, 'a service says for whom; a bad address is none'
);
select set_config('request.headers', '', true);
update public.applications set name = 'Rocket IV' where id = tests.id('rocket');
select is((tests.last_entry()).actor_kind, 'system', 'an operator is the system');

create temporary table mark as select (tests.last_entry()).seq;
update public.applications set name = name where id = tests.id('rocket');
update public.applications set name = 'Nothing' where false;
select is((tests.last_entry()).seq, (select seq from mark), 'what changes nothing is not logged');

delete from public.applications where id = tests.id('rocket');
select is((tests.last_entry()).before ->> 'name', 'Rocket IV', 'what is deleted is kept');

-- one statement, many rows, two tenants
insert into public.applications (organization_id, name, slug)
select tests.id(org), 'Many', 'many-' || n from generate_series(1, 50) as n, unnest(array['acme', 'globex']) as org;
select is((select count(*) from public.audit_log where action = 'applications.insert' and after ->> 'name' = 'Many'), 100::bigint, 'each row has its entry');
select is(
  (select count(*) from public.audit_log where organization_id = tests.id('acme') and action = 'applications.insert' and after ->> 'name' = 'Many'),
  50::bigint, 'in its own organization''s chain'
);
select is(tests.verified(), 'whole', 'the chain holds');

-- what several tenants have in common by name, changed by one who is in both
insert into public.memberships (organization_id, user_id, role_key) values (tests.id('globex'), tests.id('owner'), 'admin');
insert into public.roles (organization_id, key, name) values (tests.id('globex'), 'custom:auditor', 'Globex''s own');
select tests.sign_in('owner');
update public.roles set description = 'Looks.' where key = 'custom:auditor';
select tests.become_postgres();
select results_eq(
  $$select organization_id = tests.id('acme'), before, after from public.audit_log where action = 'roles.update' order by 1$$,
  $$select acme, '{"description": ""}'::jsonb, '{"description": "Looks."}'::jsonb from unnest(array[false, true]) as acme$$,
  'no tenant''s log tells of another''s rows'
);

-- a change of what a row is known by
select tests.sign_in('owner');
select public.offer_ownership(tests.id('acme'), tests.id('viewer'));
select public.offer_ownership(tests.id('acme'), tests.id('admin'));
select tests.become_postgres();
select results_eq(
  $$select object_id, before ->> 'to_user_id', after ->> 'to_user_id' from public.audit_log
    where action = 'ownership_offers.update' order by before is null$$,
  $$values (tests.id('viewer')::text, tests.id('viewer')::text, null), (tests.id('admin')::text, null, tests.id('admin')::text)$$,
  'an offer that replaces another is logged'
);
insert into public.applications (id, organization_id, name, slug) values (tests.id('moved'), tests.id('acme'), 'Moved', 'moved');
update public.applications set organization_id = tests.id('globex') where id = tests.id('moved');
select results_eq(
  $$select organization_id, before ->> 'name', after ->> 'name' from public.audit_log
    where action = 'applications.update' and object_id = tests.id('moved')::text order by before is null$$,
  $$values (tests.id('acme'), 'Moved', null), (tests.id('globex'), null, 'Moved')$$, 'a row that moves is logged where it was, and where it is'
);
select results_eq(
  $$select checked, reason from private.verify_audit_chain(tests.id('acme'), 1000000, null)$$, $$values (0::bigint, null::text)$$,
  'what comes after the last entry is not broken'
);

-- secrets and personal data
select tests.sign_in('owner');
select public.invite_member(tests.id('acme'), 'somebody@example.com', 'viewer');
update public.users set name = 'Olivia' where id = tests.id('owner');
select tests.become_postgres();
select is_empty(
  $$select from public.audit_log where before::text || after::text ~ 'somebody@|Olivia'
    or after ->> 'token_hash' <> '[redacted]' or after ->> 'email' <> '[redacted]'$$,
  'secrets and personal data are left out'
);
select isnt_empty(
  $$select from public.audit_log where action = 'users.update' and after = '{"name": "[redacted]"}'$$, 'that they changed is not'
);

-- every core table
select is_empty(
  $$select relname from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
      and relname <> all (array[
        'audit_log',
        -- what Stripe says, whose own log tells who changed it
        'invoices', 'subscription_items', 'subscriptions',
        -- usage is a log of its own, and too much of it for another
        'usage_days', 'usage_events', 'usage_hours'
      ]) and not tests.is_catalogue(relname)
      and (select count(*) from pg_trigger where tgrelid = pg_class.oid and tgname in ('audit_insert', 'audit_update', 'audit_delete')) <> 3$$,
  'every core table is audited'
);

-- readers
select tests.sign_in(name) from unnest(array['admin']) as name;
select isnt_empty('select from public.audit_log', 'an admin reads');
select is(count(*), 0::bigint, 'and nothing of another tenant') from public.audit_log where organization_id <> tests.id('acme');
select tests.sign_in('developer');
select is_empty('select from public.audit_log', 'a developer does not');
select throws_ok(
  $$select * from public.verify_audit_chain(tests.id('acme'))$$, '42501', null, 'nor verifies'
);

-- append-only, for everyone
select tests.sign_in('service_role');
select throws_ok('delete from public.audit_log', '42501', null, 'the service does not delete');
select throws_ok($$update public.audit_log set action = 'nothing'$$, '42501', null, 'nor update');
select throws_ok(
  $$insert into public.audit_log (organization_id, seq, occurred_at, actor_kind, action, previous_hash, hash)
    values (tests.id('acme'), 1, now(), 'user', 'forged', '\x', '\x')$$, '42501', null, 'nor insert'
);
select tests.become_postgres();
select throws_ok('delete from public.audit_log', '42501', null, 'not even the owner of the table deletes');
select throws_ok($$update public.audit_log set action = 'nothing'$$, '42501', null, 'or updates');
select throws_ok('truncate public.audit_log', '42501', null, 'or truncates');

-- tampering, by somebody who can disable the triggers
select is(
  tests.outcome(format($$
    do $do$ begin
      alter table public.audit_log disable trigger user;
      %s;
      if tests.verified() <> %L then raise exception using errcode = 'TEST1', hint = tests.verified(); end if;
      raise exception using errcode = 'TEST2';
    end $do$ $$, statement, expected)),
  'TEST2', description
)
from (values
  ($$update public.audit_log set after = '{"name": "Innocent"}' where organization_id = tests.id('acme') and seq = 20$$, 'altered 20', 'an altered row is named'),
  ($$update public.audit_log set actor_id = tests.id('spare') where organization_id = tests.id('acme') and seq = 21$$, 'altered 21', 'also when only the actor is altered'),
  ($$delete from public.audit_log where organization_id = tests.id('acme') and seq = 20$$, 'missing 20', 'a missing row is named'),
  ($$delete from public.audit_log where organization_id = tests.id('acme') and seq = (select max(seq) from public.audit_log where organization_id = tests.id('acme'))$$,
    'missing ' || (tests.last_entry()).seq, 'also the last'),
  ($$update public.audit_log set hash = sha256(previous_hash || 'forged') where organization_id = tests.id('acme') and seq = 20$$, 'altered 20', 'a forged hash is named'),
  ($$delete from public.audit_log where organization_id = tests.id('acme') and seq > 10$$, 'missing 11', 'a cut tail is named')
) as tampering (statement, expected, description);

-- the organization goes, its trail stays
create temporary table before_deletion as select count(*) as entries from public.audit_log where organization_id = tests.id('acme');
delete from public.organizations where id = tests.id('acme');
select ok(
  (select count(*) from public.audit_log where organization_id = tests.id('acme')) > (select entries from before_deletion)
    and tests.verified() = 'whole',
  'the trail outlives its organization, whole'
);

select results_eq(
  $$select (tests.last_entry('globex')).actor_kind$$, $$values ('system')$$, 'the other chain is untouched'
);

select * from finish();
rollback;
