-- Two tenants to look at, for development only: `supabase db push --include-seed` is never part of a deploy.
-- Users are made by the auth server, which alone may write passwords; `npm start` does that and then calls
-- create_organization as they would.
select 1;
