-- The audit log's chain is the last of all locks: an agreement had it before the version that closing an organization has first.
set local lock_timeout = '5s';

alter trigger entitlements_insert on public.entitlement_overrides rename to a_entitlements_insert;
alter trigger entitlements_update on public.entitlement_overrides rename to a_entitlements_update;
alter trigger entitlements_delete on public.entitlement_overrides rename to a_entitlements_delete;
