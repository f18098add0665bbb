-- Who may do what, per table and operation. Every table is closed first: what is not named here is denied.
-- The helpers stand in a scalar subquery: evaluated once per statement (an InitPlan), whatever the rows.
set local lock_timeout = '5s';

revoke all on public.users, public.organizations, public.permissions, public.roles, public.role_permissions,
  public.memberships from public, anon, authenticated, service_role;

-- users
grant select, update (name, avatar_url) on public.users to authenticated;
grant select, update on public.users to service_role;

create policy "members read each other's profiles" on public.users
  as permissive for select to authenticated
  using (id = any ((select private.visible_users())::uuid[]));

create policy "users update their own profile" on public.users
  as permissive for update to authenticated
  using (id = (select auth.uid()));

-- organizations
grant select, update (name, slug, settings) on public.organizations to authenticated;
grant select, insert, update, delete on public.organizations to service_role;

create policy "members read their organizations" on public.organizations
  as permissive for select to authenticated
  using (id = any ((select private.orgs_with('organizations.read'))::uuid[]));

create policy "members update their organizations" on public.organizations
  as permissive for update to authenticated
  using (id = any ((select private.orgs_with('organizations.update'))::uuid[]));

-- permissions
grant select on public.permissions to authenticated, service_role;

create policy "everybody signed in reads the catalogue" on public.permissions
  as permissive for select to authenticated
  using (true);

-- roles
grant select, insert (organization_id, key, name, description), update (name, description), delete
  on public.roles to authenticated;
grant select, insert, update, delete on public.roles to service_role;

create policy "members read the roles they can have" on public.roles
  as permissive for select to authenticated
  using (
    organization_id is null
    or organization_id = any ((select private.orgs_with('organizations.read'))::uuid[])
  );

create policy "members define roles" on public.roles
  as permissive for insert to authenticated
  with check (organization_id = any ((select private.orgs_with('roles.manage'))::uuid[]));

create policy "members update roles" on public.roles
  as permissive for update to authenticated
  using (organization_id = any ((select private.orgs_with('roles.manage'))::uuid[]));

create policy "members delete roles" on public.roles
  as permissive for delete to authenticated
  using (organization_id = any ((select private.orgs_with('roles.manage'))::uuid[]));

-- role_permissions
grant select, insert (organization_id, role_key, permission), delete on public.role_permissions to authenticated;
grant select, insert, delete on public.role_permissions to service_role;

create policy "members read what roles permit" on public.role_permissions
  as permissive for select to authenticated
  using (
    organization_id is null
    or organization_id = any ((select private.orgs_with('organizations.read'))::uuid[])
  );

create policy "members permit" on public.role_permissions
  as permissive for insert to authenticated
  with check (organization_id = any ((select private.orgs_with('roles.manage'))::uuid[]));

create policy "members withdraw permissions" on public.role_permissions
  as permissive for delete to authenticated
  using (organization_id = any ((select private.orgs_with('roles.manage'))::uuid[]));

-- memberships: changing a role keeps the row's tenant and user, since their columns are not granted
grant select, insert (organization_id, user_id, role_key), update (role_key), delete
  on public.memberships to authenticated;
grant select, insert, update, delete on public.memberships to service_role;

-- One's own is there whatever the role permits: to delete a row is to find it first, and everybody may leave.
create policy "members read memberships, and their own" on public.memberships
  as permissive for select to authenticated
  using (
    organization_id = any ((select private.orgs_with('members.read'))::uuid[])
    or user_id = (select auth.uid())
  );

create policy "members add members" on public.memberships
  as permissive for insert to authenticated
  with check (organization_id = any ((select private.orgs_with('members.manage'))::uuid[]));

create policy "members change roles" on public.memberships
  as permissive for update to authenticated
  using (organization_id = any ((select private.orgs_with('members.manage'))::uuid[]));

create policy "members remove members, and leave" on public.memberships
  as permissive for delete to authenticated
  using (
    organization_id = any ((select private.orgs_with('members.manage'))::uuid[])
    or user_id = (select auth.uid())
  );
