-- Promise: a closed organization is out of reach at once, comes back whole within 30 days, and is then purged.
begin;
\ir support/tenants.psql
select plan(29);

create function tests.close() returns text
language sql
as $$ select tests.outcome(format('select public.close_organization(%L)', tests.id('acme'))) $$;
create function tests.restore() returns text
language sql
as $$ select tests.outcome(format('select public.restore_organization(%L)', tests.id('acme'))) $$;

update auth.users set email_confirmed_at = now();
select tests.sign_in('owner');
create temporary table invited as select * from public.invite_member(tests.id('acme'), 'nobody@example.com', 'viewer');
grant select on invited to authenticated;
select public.offer_ownership(tests.id('acme'), tests.id('admin'));

select tests.sign_in('admin');
select is(tests.close(), 'denied', 'an admin does not close it');
select tests.sign_in('outsider');
select is(tests.close(), 'denied', 'nor does a stranger');
select tests.sign_in('owner');
select lives_ok(format('select public.close_organization(%L)', tests.id('acme')), 'an owner does');

select tests.sign_in('admin');
select is_empty('select from public.organizations', 'members no longer see it');
select is_empty('select from public.applications', 'or anything in it');
select is_empty('select from public.memberships', 'or that they belong to it');
select is(tests.restore(), 'PT404 organization_not_found', 'or restore it');
select is(
  tests.outcome(format('select public.accept_ownership(%L)', tests.id('acme'))), 'PT404 offer_not_found', 'or take it over'
);
select tests.sign_in('nobody');
select is(
  tests.outcome(format('select public.accept_invitation(%L)', (select token from invited))), 'PT404 invitation_not_found',
  'or join it'
);
select tests.sign_in('owner');
select isnt_empty('select from public.organizations where closed_at is not null', 'its owner sees that it is closed');
select is_empty('select from public.applications', 'and nothing in it');
select throws_ok(
  $$insert into public.applications (organization_id, name, slug) values (tests.id('acme'), 'Late', 'late')$$, '42501', null,
  'nothing is written to it'
);
select is(
  tests.outcome(format('select public.change_member_role(%L, %L, ''admin'')', tests.id('acme'), tests.id('viewer'))), 'denied',
  'and its members stay as they are'
);

select is(
  tests.outcome(format('select public.offer_ownership(%L, %L)', tests.id('acme'), tests.id('viewer'))), 'denied',
  'it does not change hands'
);

select lives_ok(format('select public.restore_organization(%L)', tests.id('acme')), 'its owner restores it');
select tests.sign_in('viewer');
select isnt_empty('select from public.applications', 'and all is back');
select tests.sign_in('nobody');
select is(
  tests.outcome(format('select public.accept_invitation(%L)', (select token from invited))), 'yes', 'invitations too'
);

-- After 30 days.
select tests.sign_in('owner');
select public.close_organization(tests.id('acme'));
select tests.become_postgres();
select private.purge_closed_organizations();
select isnt_empty($$select from public.organizations where id = tests.id('acme')$$, 'it is not purged early');
update public.organizations set closed_at = now() - interval '30 days' where id = tests.id('acme');
select tests.sign_in('owner');
select is(tests.restore(), 'PT404 organization_not_found', 'after 30 days it does not come back');
select tests.become_postgres();
insert into public.invoices
  (stripe_invoice_id, organization_id, status, currency, total, subtotal, amount_due, amount_paid, amount_remaining, livemode, created)
select 'in_57_' || status, tests.id('acme'), status, 'eur', 2900, 2900, 2900, 2900, 0, false, now()
from unnest(array['paid', 'open', 'draft']) as status;
select tests.add_key(key, 'rocket', 'owner') from unnest(array['one', 'two', 'three']) as key;
select is(private.purge_closed_organizations(p_rows => 2), 0, 'a large one is purged in several runs');
select results_eq(
  $$select count(*) from public.api_keys where organization_id = tests.id('acme')$$, $$values (1::bigint)$$, 'each does its part'
);
select is(private.purge_closed_organizations(p_rows => 2), 0, 'and goes on');
select is_empty($$select from public.api_keys where organization_id = tests.id('acme')$$, 'where the last one stopped');
select tests.sign_in('service_role');
select is(public.run_maintenance() -> 'purge_closed_organizations', '1', 'maintenance purges it');
select tests.become_postgres();
select is_empty(
  $$select from public.organizations where id = tests.id('acme')
    union all select from public.memberships where organization_id = tests.id('acme')
    union all select from public.applications where organization_id = tests.id('acme')$$,
  'with everything in it'
);
select isnt_empty($$select from public.audit_log where organization_id = tests.id('acme')$$, 'but for its trail');
select bag_eq(
  $$select invoice ->> 'status', (invoice ->> 'total')::bigint from private.retained_invoices
    where organization_id = tests.id('acme') and stripe_invoice_id like 'in_57_%'$$,
  $$values ('paid', 2900::bigint), ('open', 2900)$$, 'and the invoices that were sent'
);
select results_eq(
  $$select kind, organization_id from private.outbox where organization_id = tests.id('acme')$$,
  $$values ('organization.purged', tests.id('acme'))$$, 'and the other stores will hear of it'
);
select isnt_empty($$select from public.applications where organization_id = tests.id('globex')$$, 'others are untouched');

select * from finish();
rollback;
