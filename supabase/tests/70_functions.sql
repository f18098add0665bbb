-- Promise: every function is named here with who may call it; every definer has a fixed search_path and stands
-- in private, out of the API's reach.
begin;
\ir support/tenants.psql
select plan(7);

create temporary table callers (function_name text, callers text);
insert into callers values
  ('private.accept_invitation', 'authenticated'),
  ('private.accept_ownership', 'authenticated'),
  ('private.append_audit', ''),
  ('private.apply_stripe_event', 'service_role'),
  ('private.apply_stripe_object', 'service_role'),
  ('private.ask_for_renewal', ''),
  ('private.ask_for_renewal_of_late_purchase', ''),
  ('private.ask_for_seats', ''),
  ('private.audit_changes', ''),
  ('private.audit_payload', ''),
  ('private.audit_table', ''),
  ('private.billing_context', 'authenticated'),
  ('private.billing_problems', 'service_role'),
  ('private.billing_renewal', 'service_role'),
  ('private.billing_seats', 'service_role'),
  ('private.billing_state', 'service_role'),
  ('private.change_member_role', 'authenticated'),
  ('private.changed_columns', ''),
  ('private.claim_outbox', 'service_role'),
  ('private.client_ip', ''),
  ('private.close_organization', 'authenticated'),
  ('private.closed_orgs_owned', 'authenticated'),
  ('private.complete_outbox', 'service_role'),
  ('private.create_audit_partitions', ''),
  ('private.create_organization', 'authenticated'),
  ('private.create_profile', ''),
  ('private.custom_access_token_hook', 'supabase_auth_admin'),
  ('private.decline_invitation', 'authenticated'),
  ('private.delete_account', 'authenticated'),
  ('private.delete_done_outbox', ''),
  ('private.delete_expired_invitations', ''),
  ('private.delete_role', 'authenticated'),
  ('private.enforce_permission_ceiling', ''),
  ('private.enforce_role_ceiling', ''),
  ('private.entitlement', 'service_role'),
  ('private.entitlement_version', ''),
  ('private.entitlements', 'service_role'),
  ('private.entitlements_changed', 'service_role'),
  ('private.entitlements_for_members', 'authenticated service_role'),
  ('private.entitlements_valid_until', 'service_role'),
  ('private.fail_outbox', 'service_role'),
  ('private.fail_stripe_event', 'service_role'),
  ('private.finish_stripe_page', 'service_role'),
  ('private.follow_email', ''),
  ('private.forget_stripe_events', ''),
  ('private.invite_member', 'authenticated'),
  ('private.is_name', 'authenticated service_role'),
  ('private.keep_an_owner', ''),
  ('private.keep_archived', ''),
  ('private.leave_organization', 'authenticated'),
  ('private.limit_applications', ''),
  ('private.link_stripe_customer', 'service_role'),
  ('private.lock_organization', ''),
  ('private.log_audit_call', 'authenticated'),
  ('private.manageable_invitation', ''),
  ('private.manageable_member', ''),
  ('private.new_token', ''),
  ('private.next_stripe_page', 'service_role'),
  ('private.object_key', ''),
  ('private.offer_ownership', 'authenticated'),
  ('private.open_invitation', ''),
  ('private.open_stripe_invoices', 'service_role'),
  ('private.orgs_with', 'authenticated'),
  ('private.plan_as_json', ''),
  ('private.preview_invitation', 'authenticated'),
  ('private.profile_name', ''),
  ('private.purge_closed_organizations', ''),
  ('private.reaches_role', 'authenticated'),
  ('private.refuse_change', ''),
  ('private.remove_member', 'authenticated'),
  ('private.rename_plans_of_items', ''),
  ('private.report_changed_entitlements', ''),
  ('private.report_changed_plans', ''),
  ('private.report_changed_seats', ''),
  ('private.report_closed_organization', ''),
  ('private.report_customer_left', ''),
  ('private.require_assignable_role', ''),
  ('private.require_permission', 'authenticated'),
  ('private.resend_invitation', 'authenticated'),
  ('private.restore_organization', 'authenticated'),
  ('private.revoke_invitation', 'authenticated'),
  ('private.run_maintenance', 'service_role'),
  ('private.seat_limit', ''),
  ('private.set_updated_at', ''),
  ('private.settle_subscriptions', ''),
  ('private.store_invoice', ''),
  ('private.store_subscription', ''),
  ('private.stripe_customer', 'service_role'),
  ('private.stripe_events_by_status', 'service_role'),
  ('private.stripe_events_to_replay', 'service_role'),
  ('private.stripe_ticket', 'service_role'),
  ('private.subscription_state', 'service_role'),
  ('private.sync_plan', 'service_role'),
  ('private.token_hash', ''),
  ('private.user_reaches_role', ''),
  ('private.uuid_or_null', ''),
  ('private.valid_environments', 'authenticated service_role'),
  ('private.verified_email', ''),
  ('private.verify_audit_chain', 'authenticated service_role'),
  ('private.visible_users', 'authenticated'),
  ('private.withdraw_ownership_offer', 'authenticated'),
  ('public.accept_invitation', 'authenticated'),
  ('public.accept_ownership', 'authenticated'),
  ('public.apply_stripe_event', 'service_role'),
  ('public.apply_stripe_object', 'service_role'),
  ('public.billing_context', 'authenticated'),
  ('public.billing_problems', 'service_role'),
  ('public.billing_renewal', 'service_role'),
  ('public.billing_seats', 'service_role'),
  ('public.change_member_role', 'authenticated'),
  ('public.claim_outbox', 'service_role'),
  ('public.close_organization', 'authenticated'),
  ('public.complete_outbox', 'service_role'),
  ('public.create_organization', 'authenticated'),
  ('public.decline_invitation', 'authenticated'),
  ('public.delete_account', 'authenticated'),
  ('public.delete_role', 'authenticated'),
  ('public.fail_outbox', 'service_role'),
  ('public.fail_stripe_event', 'service_role'),
  ('public.finish_stripe_page', 'service_role'),
  ('public.invite_member', 'authenticated'),
  ('public.leave_organization', 'authenticated'),
  ('public.link_stripe_customer', 'service_role'),
  ('public.log_audit_call', 'authenticated'),
  ('public.next_stripe_page', 'service_role'),
  ('public.offer_ownership', 'authenticated'),
  ('public.open_stripe_invoices', 'service_role'),
  ('public.preview_invitation', 'authenticated'),
  ('public.remove_member', 'authenticated'),
  ('public.resend_invitation', 'authenticated'),
  ('public.restore_organization', 'authenticated'),
  ('public.revoke_invitation', 'authenticated'),
  ('public.run_maintenance', 'service_role'),
  ('public.save_role', 'authenticated'),
  ('public.stripe_customer', 'service_role'),
  ('public.stripe_events_by_status', 'service_role'),
  ('public.stripe_events_to_replay', 'service_role'),
  ('public.stripe_ticket', 'service_role'),
  ('public.sync_plan', 'service_role'),
  ('public.verify_audit_chain', 'authenticated service_role'),
  ('public.withdraw_ownership_offer', 'authenticated');

select results_eq(
  $$select
      format('%s.%s', pronamespace::regnamespace, proname) collate "C",
      concat_ws(' ', variadic array(
        select grantee from unnest(array['anon', 'authenticated', 'service_role', 'supabase_auth_admin']) as grantee
        where has_function_privilege(grantee, pg_proc.oid, 'execute')
      ))
    from pg_proc
    where pronamespace in ('public'::regnamespace, 'private'::regnamespace)
    order by 1$$,
  $$select function_name collate "C", callers from callers order by 1$$,
  'every function has the callers that stand here'
);
select is_empty(
  $$select proname from pg_proc
    where pronamespace in ('public'::regnamespace, 'private'::regnamespace) and prokind <> 'a'
      and not coalesce(
        case when prosecdef then 'search_path=pg_catalog, pg_temp' else 'search_path=""' end = any (proconfig), false
      )$$,
  'every function has a search_path without schemas of others, and a definer looks at temporary types last'
);
select is_empty(
  $$select proname from pg_proc where pronamespace = 'public'::regnamespace and prosecdef$$,
  'no definer function stands in the API'
);

-- What a later migration forgets to close is closed.
create table public.forgotten (id int);
create function public.forgotten() returns int language sql return 1;
select is_empty(
  $$select role from unnest(array['anon', 'authenticated', 'service_role']) as role
    where has_table_privilege(role, 'public.forgotten', 'select, insert, update, delete, truncate')$$,
  'a new table is closed'
);
select is_empty(
  $$select role from unnest(array['anon', 'authenticated', 'service_role']) as role
    where has_function_privilege(role, 'public.forgotten()', 'execute')$$,
  'a new function is closed'
);

create sequence public.forgotten_numbers;
select is_empty(
  $$select role from unnest(array['anon', 'authenticated', 'service_role']) as role
    where has_sequence_privilege(role, 'public.forgotten_numbers', 'usage, select, update')$$,
  'a new sequence is closed'
);
create function extensions.forgotten() returns int language sql return 1;
select ok(has_function_privilege('anon', 'extensions.forgotten()', 'execute'), 'an extension''s function is not');

select * from finish();
rollback;
