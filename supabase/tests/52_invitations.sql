-- Threats: a token used twice, by somebody else, after its time, or after its maker lost the right to give it;
-- answers that tell strangers what exists.
begin;
\ir support/tenants.psql
select plan(30);

update auth.users set email_confirmed_at = now();
create temporary table tokens (name text primary key, invitation_id uuid, token text);
grant select, insert on tokens to authenticated;

create function tests.invite(p_name text, p_role text) returns void
language sql
as $$
  insert into tokens
  select p_name, invitation_id, token
  from public.invite_member(tests.id('acme'), p_name || '@example.com', p_role)
$$;
create function tests.token_of(p_name text) returns text
language sql
as $$ select token from tokens where name = p_name $$;
create function tests.accept(p_name text) returns text
language sql
as $$ select tests.outcome(format('select public.accept_invitation(%L)', tests.token_of(p_name))) $$;

select tests.sign_in('admin');
select lives_ok($$select tests.invite('nobody', 'developer')$$, 'an admin invites');
select matches(tests.token_of('nobody'), '^[A-Za-z0-9_-]{43}$', 'the token is long and fit for a link');
select is(
  tests.outcome(format('select public.invite_member(tests.id(''acme''), %L, %L)', email, role_key)), expected, description
)
from (values
  ('new@example.com', 'owner', 'denied', 'not into a role above one''s own'),
  ('new@example.com', 'custom:foreign', '22023 unknown_role', 'not into another tenant''s role'),
  ('new@example.com', 'emperor', '22023 unknown_role', 'not into a role that is none'),
  ('Nobody@Example.com ', 'viewer', '23505 already_invited', 'nobody is invited twice'),
  ('viewer@example.com', 'viewer', '23505 already_member', 'a member is not invited'),
  ('not an address', 'viewer', '23514 invalid_email', 'an address is one'),
  ('a@b@example.com', 'viewer', '23514 invalid_email', 'and no more than one'),
  ('<b>@example.com', 'viewer', '23514 invalid_email', 'without markup'),
  (e'a@example.com\nbcc: b@example.com', 'viewer', '23514 invalid_email', 'without a second line'),
  (repeat('a', 250) || '@example.com', 'viewer', '23514 invalid_email', 'of at most 254 characters'),
  (null, 'viewer', '23514 invalid_email', 'and not null')
) as cases (email, role_key, expected, description);

select throws_ok('select token_hash from public.invitations', '42501', null, 'the hash is nobody''s to read');
select tests.sign_in('viewer');
select is(
  tests.outcome($$select public.invite_member(tests.id('acme'), 'new@example.com', 'viewer')$$), 'denied',
  'a viewer does not invite'
);
select is_empty('select id from public.invitations', 'and does not see who is invited');
select tests.sign_in('outsider');
select is(
  tests.outcome($$select public.invite_member(tests.id('acme'), 'new@example.com', 'viewer')$$), 'denied',
  'nor does a stranger'
);

-- No oracle: whoever is not invited gets one answer.
create temporary table answers as select null::text as answer;
truncate answers;
grant insert on answers to authenticated;
select tests.sign_in('outsider');
insert into answers
select tests.outcome(format('select public.%I(%L)', function_name, token))
from unnest(array['preview_invitation', 'accept_invitation', 'decline_invitation']) as function_name,
  unnest(array[tests.token_of('nobody'), 'unknown', '', null]) as token;
select tests.become_postgres();
select results_eq(
  'select distinct answer from answers', $$values ('PT404 invitation_not_found')$$,
  'a foreign token and an unknown one are answered alike'
);

-- Bound to an address that is proven.
update auth.users set email_confirmed_at = null where id = tests.id('nobody');
select tests.sign_in('nobody');
select is(tests.accept('nobody'), 'PT404 invitation_not_found', 'an unproven address accepts nothing');
select tests.become_postgres();
update auth.users set email_confirmed_at = now() where id = tests.id('nobody');
select tests.sign_in('nobody');
select results_eq(
  $$select organization_name, role_key, role_name, invited_by from public.preview_invitation(tests.token_of('nobody'))$$,
  $$values ('Acme', 'developer', 'Developer', 'admin@example.com')$$, 'the invitee sees what it is'
);

-- Resending kills the old token.
select tests.sign_in('admin');
insert into tokens
select 'resent', resent.invitation_id, resent.token
from tokens, public.resend_invitation(tokens.invitation_id) as resent where name = 'nobody';
select tests.sign_in('nobody');
select is(tests.accept('nobody'), 'PT404 invitation_not_found', 'the old token is dead');
select tests.become_postgres();
update tokens set token = tests.token_of('resent') where name = 'nobody';

-- Whoever can no longer give the role has not given it.
update public.memberships set role_key = 'viewer' where user_id = tests.id('admin');
select tests.sign_in('nobody');
select is(tests.accept('nobody'), 'PT404 invitation_not_found', 'nor does one hold whose maker was demoted');
select tests.become_postgres();
update public.invitations set role_key = 'viewer';
select tests.sign_in('nobody');
select is(tests.accept('nobody'), 'PT404 invitation_not_found', 'also to a role that the maker has: who may not invite has not invited');
select tests.become_postgres();
update public.invitations set role_key = 'developer';
update public.memberships set role_key = 'admin' where user_id = tests.id('admin');

-- Time and seats.
update public.invitations set expires_at = now();
select tests.sign_in('nobody');
select is(tests.accept('nobody'), 'PT404 invitation_not_found', 'nor does an expired one');
select tests.become_postgres();
update public.invitations set expires_at = now() + interval '1 day';
update public.organizations set seat_limit = 7 where id = tests.id('acme');
select tests.sign_in('nobody');
select is(tests.accept('nobody'), 'PT402 limit_reached', 'seats are respected');
select tests.become_postgres();
update public.organizations set seat_limit = 8 where id = tests.id('acme');

select tests.sign_in('nobody');
select lives_ok($$select public.accept_invitation(tests.token_of('nobody'))$$, 'accepted');
select results_eq(
  $$select role_key from public.memberships where user_id = tests.id('nobody')$$, $$values ('developer')$$,
  'a member in the role, with the token they have'
);
select is(tests.accept('nobody'), 'PT404 invitation_not_found', 'a token is spent once');

-- Revoked, by those who manage members alone.
select tests.sign_in('admin');
select tests.invite('outsider', 'viewer');
select tests.sign_in('outsider');
select is(
  tests.outcome(format('select public.revoke_invitation(%L)', (select invitation_id from tokens where name = 'outsider'))),
  'PT404 invitation_not_found', 'the invited do not revoke'
);
select tests.sign_in('admin');
select public.revoke_invitation((select invitation_id from tokens where name = 'outsider'));
select tests.sign_in('outsider');
select is(tests.accept('outsider'), 'PT404 invitation_not_found', 'a revoked invitation is none');

select * from finish();
rollback;
