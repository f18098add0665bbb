-- Promise: every function is named here with who may call it; every definer has a fixed search_path and stands
-- in private, out of the API's reach.
begin;
\ir support/tenants.psql
select plan(7);

create temporary table callers (function_name text, callers text);
insert into callers values
  ('private.accept_invitation', 'authenticated'),
  ('private.accept_ownership', 'authenticated'),
  ('private.admission', ''),
  ('private.adopt_api_key', 'authenticated'),
  ('private.alert_limits', ''),
  ('private.append_audit', ''),
  ('private.audit_changes', ''),
  ('private.audit_payload', ''),
  ('private.audit_table', ''),
  ('private.authorize_request', 'service_role'),
  ('private.base62', ''),
  ('private.change_member_role', 'authenticated'),
  ('private.changed_columns', ''),
  ('private.claim_outbox', 'service_role'),
  ('private.client_ip', ''),
  ('private.close_organization', 'authenticated'),
  ('private.closed_orgs_owned', 'authenticated'),
  ('private.complete_outbox', 'service_role'),
  ('private.count_api_keys', ''),
  ('private.count_applications', ''),
  ('private.count_members', ''),
  ('private.count_usage', ''),
  ('private.crc32', ''),
  ('private.create_api_key', 'authenticated'),
  ('private.create_audit_partitions', ''),
  ('private.create_month_partitions', ''),
  ('private.create_organization', 'authenticated'),
  ('private.create_profile', ''),
  ('private.create_usage_partitions', ''),
  ('private.custom_access_token_hook', 'supabase_auth_admin'),
  ('private.decide', ''),
  ('private.decline_invitation', 'authenticated'),
  ('private.delete_account', 'authenticated'),
  ('private.delete_done_outbox', ''),
  ('private.delete_expired_invitations', ''),
  ('private.delete_purged_usage', ''),
  ('private.delete_role', 'authenticated'),
  ('private.delete_usage_keys', ''),
  ('private.drain_request_log', ''),
  ('private.drop_month_partitions', ''),
  ('private.drop_usage_partitions', ''),
  ('private.enforce_permission_ceiling', ''),
  ('private.enforce_role_ceiling', ''),
  ('private.entitlement', 'service_role'),
  ('private.entitlements', ''),
  ('private.entitlements_changed', ''),
  ('private.entitlements_valid_until', ''),
  ('private.fail_outbox', 'service_role'),
  ('private.fitting', ''),
  ('private.follow_email', ''),
  ('private.ingest_usage', 'service_role'),
  ('private.invite_member', 'authenticated'),
  ('private.is_metered', ''),
  ('private.is_name', 'authenticated service_role'),
  ('private.keep_an_owner', ''),
  ('private.keep_archived', ''),
  ('private.lease_budget', 'service_role'),
  ('private.leave_organization', 'authenticated'),
  ('private.limits_for_members', 'authenticated service_role'),
  ('private.limits_version', ''),
  ('private.lock_organization', ''),
  ('private.log_audit_call', 'authenticated'),
  ('private.log_lease', ''),
  ('private.manageable_api_key', ''),
  ('private.manageable_invitation', ''),
  ('private.manageable_member', ''),
  ('private.member_may', ''),
  ('private.metric_used', ''),
  ('private.new_api_key', ''),
  ('private.new_token', ''),
  ('private.note_key_use', ''),
  ('private.object_key', ''),
  ('private.offer_ownership', 'authenticated'),
  ('private.open_invitation', ''),
  ('private.orgs_with', 'authenticated'),
  ('private.pace', ''),
  ('private.preview_invitation', 'authenticated'),
  ('private.profile_name', ''),
  ('private.purge_closed_organizations', ''),
  ('private.purge_usage', ''),
  ('private.rate_burst', ''),
  ('private.reaches_role', 'authenticated'),
  ('private.refresh_limits', ''),
  ('private.refusal', ''),
  ('private.refuse_change', ''),
  ('private.remove_member', 'authenticated'),
  ('private.report_meters', ''),
  ('private.request_window', ''),
  ('private.require_assignable_role', ''),
  ('private.require_future', ''),
  ('private.require_permission', 'authenticated'),
  ('private.require_scopes', ''),
  ('private.resend_invitation', 'authenticated'),
  ('private.restore_organization', 'authenticated'),
  ('private.return_lease', 'service_role'),
  ('private.revoke_api_key', 'authenticated'),
  ('private.revoke_invitation', 'authenticated'),
  ('private.roll_up_usage', ''),
  ('private.rotate_api_key', 'authenticated'),
  ('private.run_maintenance', 'service_role'),
  ('private.set_updated_at', ''),
  ('private.settle_expired_leases', ''),
  ('private.subscription_state', ''),
  ('private.token_hash', ''),
  ('private.unmet_restriction', ''),
  ('private.update_api_key', 'authenticated'),
  ('private.usage_period', ''),
  ('private.user_reaches_role', ''),
  ('private.uuid_or_null', ''),
  ('private.valid_environments', 'authenticated service_role'),
  ('private.valid_origins', ''),
  ('private.verified_email', ''),
  ('private.verify_audit_chain', 'authenticated service_role'),
  ('private.visible_users', 'authenticated'),
  ('private.was_admitted', ''),
  ('private.withdraw_ownership_offer', 'authenticated'),
  ('public.accept_invitation', 'authenticated'),
  ('public.accept_ownership', 'authenticated'),
  ('public.adopt_api_key', 'authenticated'),
  ('public.authorize_request', 'service_role'),
  ('public.change_member_role', 'authenticated'),
  ('public.claim_outbox', 'service_role'),
  ('public.close_organization', 'authenticated'),
  ('public.complete_outbox', 'service_role'),
  ('public.create_api_key', 'authenticated'),
  ('public.create_organization', 'authenticated'),
  ('public.decline_invitation', 'authenticated'),
  ('public.delete_account', 'authenticated'),
  ('public.delete_role', 'authenticated'),
  ('public.fail_outbox', 'service_role'),
  ('public.ingest_usage', 'service_role'),
  ('public.invite_member', 'authenticated'),
  ('public.lease_budget', 'service_role'),
  ('public.leave_organization', 'authenticated'),
  ('public.log_audit_call', 'authenticated'),
  ('public.offer_ownership', 'authenticated'),
  ('public.preview_invitation', 'authenticated'),
  ('public.remove_member', 'authenticated'),
  ('public.resend_invitation', 'authenticated'),
  ('public.restore_organization', 'authenticated'),
  ('public.return_lease', 'service_role'),
  ('public.revoke_api_key', 'authenticated'),
  ('public.revoke_invitation', 'authenticated'),
  ('public.rotate_api_key', 'authenticated'),
  ('public.run_maintenance', 'service_role'),
  ('public.save_role', 'authenticated'),
  ('public.update_api_key', 'authenticated'),
  ('public.stripe_customer', 'service_role'),
  ('public.usage_summary', 'authenticated service_role'),
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
