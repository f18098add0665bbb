import { expect, test } from "vitest";
import { StackFailure } from "../../src/stack/failure.ts";
import { openAuthDatabase } from "../../src/stack/gateway/auth-database.ts";
import { postgresHook } from "../../src/stack/gateway/token-hook.ts";
import {
  adminClient,
  anonClient,
  describeLocal,
  newEmail,
  PASSWORD,
  raw,
  signedInUser,
  useProject,
} from "./support.ts";

const schema = `
create schema private;
create table private.hook_calls (event jsonb, caller text);
create function private.hook(event jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  email text := event -> 'claims' ->> 'email';
  claims jsonb := event -> 'claims';
begin
  insert into private.hook_calls values (event, session_user);
  if email like 'refused%' then
    return jsonb_build_object('error', jsonb_build_object('http_code', 403, 'message', 'Not on the list.'));
  elsif email like 'speechless%' then
    return jsonb_build_object('error', jsonb_build_object('message', 'No.'));
  elsif email like 'forgetful%' then
    return jsonb_build_object('claims', claims - 'aal');
  elsif email like 'broken%' then
    raise exception 'secret details';
  elsif email like 'slow%' then
    perform pg_sleep(3);
  elsif email like 'wrong%' then
    return jsonb_build_object('claims', claims || '{"role": 5}');
  end if;
  return jsonb_build_object('claims', jsonb_set(claims, '{app_metadata,orgs}', '{"one": "owner"}'));
end
$$;
create function private.not_granted(event jsonb) returns jsonb language sql as 'select event';
revoke all on function private.hook, private.not_granted from public;
grant usage on schema private to supabase_auth_admin;
grant execute on function private.hook to supabase_auth_admin;`;

describeLocal("the custom access token hook", () => {
  const project = useProject(undefined, {
    schema,
    auth: { tokenHook: "pg-functions://postgres/private/hook" },
  });
  const superuser = () => {
    if (!project.local) throw new Error("local only");
    return project.local.superuser;
  };
  const events = async (email: string) => {
    const rows = await superuser()`
      select event, caller from private.hook_calls where event -> 'claims' ->> 'email' = ${email}`;
    return rows as unknown as { event: Record<string, unknown>; caller: string }[];
  };
  const orgs = async (token: string) =>
    (await anonClient(project).auth.getClaims(token)).data?.claims.app_metadata?.["orgs"];

  test("is called for every token, with GoTrue's event, by supabase_auth_admin", async () => {
    const client = anonClient(project);
    const email = newEmail();
    const signUp = await client.auth.signUp({ email, password: PASSWORD });
    const signIn = await client.auth.signInWithPassword({ email, password: PASSWORD });
    const refresh = await client.auth.refreshSession();
    await client.auth.signInWithOtp({ email });
    const token = project.local?.mails.at(-1)?.token ?? "";
    const verify = await client.auth.verifyOtp({ email, token, type: "email" });
    const link = await adminClient(project).auth.admin.generateLink({ type: "magiclink", email });
    const redirect = await fetch(link.data.properties?.action_link ?? "", { redirect: "manual" });
    const fragment = new URLSearchParams(redirect.headers.get("location")?.split("#")[1]);

    for (const { data } of [signUp, signIn, refresh, verify]) {
      expect(await orgs(data.session?.access_token ?? "")).toEqual({ one: "owner" });
    }
    expect(await orgs(fragment.get("access_token") ?? "")).toEqual({ one: "owner" });
    const calls = await events(email);
    expect(calls.map(({ event }) => event["authentication_method"])).toEqual([
      "password",
      "password",
      "token_refresh",
      "otp",
      "otp",
    ]);
    expect(new Set(calls.map(({ caller }) => caller))).toEqual(new Set(["supabase_auth_admin"]));
    expect(calls[0]?.event).toEqual({
      user_id: signUp.data.user?.id,
      authentication_method: "password",
      claims: expect.objectContaining({
        sub: signUp.data.user?.id,
        role: "authenticated",
        session_id: expect.any(String),
        is_anonymous: false,
      }),
    });
  });

  test("what it adds is in the token, not in the user", async () => {
    const { client } = await signedInUser(project);
    expect((await client.auth.getUser()).data.user?.app_metadata).toEqual({
      provider: "email",
      providers: ["email"],
    });
  });

  test.each([
    ["refused", 403, "unknown", "Not on the list."],
    ["speechless", 500, "unexpected_failure", "No."],
    [
      "forgetful",
      500,
      "unexpected_failure",
      "output claims do not conform to the expected schema: \n- (root): aal is required\n",
    ],
    [
      "wrong",
      500,
      "unexpected_failure",
      "output claims do not conform to the expected schema: \n- role: Invalid type\n",
    ],
    ["broken", 500, "unexpected_failure", "Error running hook URI: pg-functions://postgres/private/hook"],
    ["slow", 500, "unexpected_failure", "Error running hook URI: pg-functions://postgres/private/hook"],
  ])("%s: refuses the sign-up and leaves nothing behind", async (name, status, code, msg) => {
    const email = `${name}-${newEmail()}`;
    const body = JSON.stringify({ email, password: PASSWORD });
    const answer = await raw(project, "/auth/v1/signup", { method: "POST", body });
    expect([answer.status, answer.json]).toEqual([status, { code: status, error_code: code, msg }]);
    expect(await superuser()`select 1 from auth.users where email = ${email}`).toHaveLength(0);
  });

  test("a refused refresh leaves the refresh token usable", async () => {
    const { client, id } = await signedInUser(project);
    const refresh_token = (await client.auth.getSession()).data.session?.refresh_token ?? "";
    const refresh = () => anonClient(project).auth.refreshSession({ refresh_token });
    await superuser()`update auth.users set email = ${`refused-${newEmail()}`} where id = ${id}`;
    expect((await refresh()).error).toMatchObject({ status: 403, message: "Not on the list." });
    await superuser()`update auth.users set email = ${newEmail()} where id = ${id}`;
    expect((await refresh()).error).toBeNull();
  });

  test("a refused link redirects with the error and can be used again", async () => {
    const { email, id } = await signedInUser(project);
    await anonClient(project).auth.signInWithOtp({ email });
    const link = project.local?.mails.at(-1)?.link ?? "";
    const follow = async () => (await fetch(link, { redirect: "manual" })).headers.get("location") ?? "";
    await superuser()`update auth.users set email = ${`refused-${email}`} where id = ${id}`;
    expect(await follow()).toMatch(/^http:\/\/localhost:3000#error=access_denied.*Not\+on\+the\+list/);
    await superuser()`update auth.users set email = ${email} where id = ${id}`;
    expect(await follow()).toContain("access_token=");
  });

  test("one that cannot be called stops the start with a clear message", async () => {
    const url = superuserUrl();
    const database = openAuthDatabase(url);
    try {
      const hook = (uri: string) => postgresHook(uri, database);
      await expect(hook("pg-functions://postgres/private/missing")).rejects.toThrow(StackFailure);
      await expect(hook("pg-functions://postgres/private/missing")).rejects.toThrow(
        /private\.missing does not exist/,
      );
      await expect(hook("pg-functions://postgres/private/not_granted")).rejects.toThrow(/may not be called/);
      await expect(hook("https://example.com/hook")).rejects.toThrow(/not of the form/);
    } finally {
      await database.connection.close();
    }
  });

  const superuserUrl = () => {
    const { host, port } = superuser().options;
    return `postgresql://supabase_auth_admin:postgres@${host[0]}:${port[0]}/postgres?sslmode=disable`;
  };
});

describeLocal("a trigger on auth.users that fails", () => {
  const project = useProject(undefined, {
    schema: `
      create schema private;
      create function private.refuse() returns trigger language plpgsql as $$ begin raise exception 'secret details'; end $$;
      create trigger refuse after insert on auth.users for each row
        when (new.email like 'refused%') execute function private.refuse();`,
  });

  test("undoes the sign-up and tells no more than GoTrue", async () => {
    const body = JSON.stringify({ email: `refused-${newEmail()}`, password: PASSWORD });
    const answer = await raw(project, "/auth/v1/signup", { method: "POST", body });
    expect([answer.status, answer.json]).toEqual([
      500,
      { code: 500, error_code: "unexpected_failure", msg: "Database error saving new user" },
    ]);
  });
});
