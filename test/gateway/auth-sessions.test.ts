import { describe, expect, test } from "vitest";
import { anonClient, newEmail, PASSWORD, raw, signedInUser, useProject } from "./support.ts";

const project = useProject();

describe("signing up and in", () => {
  test("signUp opens a session where addresses confirm themselves", async () => {
    const client = anonClient(project);
    const email = newEmail();
    const { data, error } = await client.auth.signUp({
      email,
      password: PASSWORD,
      options: { data: { nick: "N" } },
    });
    expect(error).toBeNull();
    expect(data.session?.token_type).toBe("bearer");
    expect(data.user).toMatchObject({ email, role: "authenticated", user_metadata: { nick: "N", email } });
    expect(data.user?.identities).toHaveLength(1);
    expect((await client.auth.getUser()).data.user?.id).toBe(data.user?.id);
  });

  test("signInWithPassword, whatever the case of the address", async () => {
    const { email } = await signedInUser(project);
    const { data, error } = await anonClient(project).auth.signInWithPassword({
      email: email.toUpperCase(),
      password: PASSWORD,
    });
    expect(error).toBeNull();
    expect(data.user?.email).toBe(email);
    const { expires_at = 0, expires_in = 0 } = data.session ?? {};
    expect(expires_in).toBe(3600);
    expect(Math.abs(expires_at - Date.now() / 1000 - 3600)).toBeLessThan(60);
  });

  test("refusals", async () => {
    const { email } = await signedInUser(project);
    const client = anonClient(project);
    const signIn = (password: string, address = email) =>
      client.auth.signInWithPassword({ email: address, password });
    expect((await signIn("wrong")).error).toMatchObject({ status: 400, code: "invalid_credentials" });
    expect((await signIn("wrong", newEmail())).error).toMatchObject({
      status: 400,
      code: "invalid_credentials",
    });
    const signUp = (address: string, password: string) => client.auth.signUp({ email: address, password });
    expect((await signUp(email, PASSWORD)).error).toMatchObject({ status: 422, code: "user_already_exists" });
    expect((await signUp(newEmail(), "short")).error).toMatchObject({ status: 422, code: "weak_password" });
    expect((await signUp("no address", PASSWORD)).error).toMatchObject({
      status: 400,
      code: "validation_failed",
    });
    expect((await signUp(newEmail(), "x".repeat(73))).error).toMatchObject({
      status: 400,
      code: "validation_failed",
    });
    expect((await client.auth.signInAnonymously()).error).toMatchObject({
      code: "anonymous_provider_disabled",
    });
  });
});

describe("a session", () => {
  test("is refreshed: new tokens, same session, the method kept", async () => {
    const { client } = await signedInUser(project);
    const before = (await client.auth.getClaims()).data?.claims;
    const { data, error } = await client.auth.refreshSession();
    expect(error).toBeNull();
    const after = (await client.auth.getClaims()).data?.claims;
    expect(after?.session_id).toBe(before?.session_id);
    expect(after?.amr).toEqual(before?.amr);
    expect(data.user?.id).toBe(before?.sub);
  });

  test("gives two refreshes at a time the same refresh token", async () => {
    const { client } = await signedInUser(project);
    const refresh_token = (await client.auth.getSession()).data.session?.refresh_token ?? "";
    const refreshes = [1, 2, 3].map(() => anonClient(project).auth.refreshSession({ refresh_token }));
    const tokens = (await Promise.all(refreshes)).map(({ data }) => data.session?.refresh_token);
    expect(new Set(tokens).size).toBe(1);
    expect(tokens[0]).toBeTruthy();
  });

  test("is refused an unknown or a long used refresh token", async () => {
    const refresh = (refresh_token: string) => anonClient(project).auth.refreshSession({ refresh_token });
    const unknown = await refresh("0b2cbe59-9d2b-4f6c-8a64-6d6c3b2a1f00");
    expect(unknown.error).toMatchObject({ status: 400, code: "refresh_token_not_found" });
    const { client } = await signedInUser(project);
    const first = (await client.auth.getSession()).data.session?.refresh_token ?? "";
    const second = (await refresh(first)).data.session?.refresh_token ?? "";
    await refresh(second);
    expect((await refresh(first)).error).toMatchObject({ status: 400, code: "refresh_token_already_used" });
  });

  test("ends with signOut: this one, the others, all", async () => {
    const { client, email, token } = await signedInUser(project);
    const other = anonClient(project);
    const signIn = await other.auth.signInWithPassword({ email, password: PASSWORD });
    const alive = async (accessToken: string) =>
      (await raw(project, "/auth/v1/user", { headers: { authorization: `Bearer ${accessToken}` } })).status;
    const otherToken = signIn.data.session?.access_token ?? "";
    expect((await client.auth.signOut({ scope: "others" })).error).toBeNull();
    expect([await alive(token), await alive(otherToken)]).toEqual([200, 403]);
    const again = await other.auth.signInWithPassword({ email, password: PASSWORD });
    const third = again.data.session?.access_token ?? "";
    expect((await client.auth.signOut({ scope: "local" })).error).toBeNull();
    expect([await alive(token), await alive(third)]).toEqual([403, 200]);
    const refresh_token = again.data.session?.refresh_token ?? "";
    expect((await other.auth.signOut({ scope: "global" })).error).toBeNull();
    expect(await alive(third)).toBe(403);
    expect((await other.auth.refreshSession({ refresh_token })).error?.status).toBe(400);
  });

  test("that is over is session_not_found", async () => {
    const { client, token } = await signedInUser(project);
    await client.auth.signOut();
    const answer = await raw(project, "/auth/v1/user", { headers: { authorization: `Bearer ${token}` } });
    expect(answer.json).toEqual({
      code: 403,
      error_code: "session_not_found",
      msg: "Session from session_id claim in JWT does not exist",
    });
  });
});

describe("updateUser", () => {
  test("merges metadata and leaves app_metadata alone", async () => {
    const { client } = await signedInUser(project);
    await client.auth.updateUser({ data: { a: 1, b: 2 } });
    const { data } = await client.auth.updateUser({ data: { b: null, c: 3 } });
    expect(data.user?.user_metadata).toMatchObject({ a: 1, c: 3 });
    expect(data.user?.user_metadata).not.toHaveProperty("b");
    const { token } = await signedInUser(project);
    const answer = await raw(project, "/auth/v1/user", {
      method: "PUT",
      body: '{"app_metadata":{"role":"owner"}}',
      headers: { authorization: `Bearer ${token}` },
    });
    expect(answer.json.app_metadata).toEqual({ provider: "email", providers: ["email"] });
  });

  test("changes the password and ends the other sessions", async () => {
    const { client, email } = await signedInUser(project);
    const other = anonClient(project);
    await other.auth.signInWithPassword({ email, password: PASSWORD });
    expect((await client.auth.updateUser({ password: PASSWORD })).error).toMatchObject({
      code: "same_password",
    });
    expect((await client.auth.updateUser({ password: "x" })).error).toMatchObject({ code: "weak_password" });
    expect((await client.auth.updateUser({ password: "another password" })).error).toBeNull();
    expect((await client.auth.getUser()).error).toBeNull();
    expect((await other.auth.refreshSession()).error?.status).toBe(400);
    expect(
      (await anonClient(project).auth.signInWithPassword({ email, password: PASSWORD })).error?.code,
    ).toBe("invalid_credentials");
  });

  test("changes the address at once where addresses confirm themselves", async () => {
    const { client } = await signedInUser(project);
    const taken = (await signedInUser(project)).email;
    expect((await client.auth.updateUser({ email: taken })).error).toMatchObject({
      status: 422,
      code: "email_exists",
    });
    const email = newEmail();
    const { data } = await client.auth.updateUser({ email });
    expect(data.user?.email).toBe(email);
    expect(data.user?.new_email).toBeUndefined();
    expect(data.user?.identities?.[0]?.identity_data?.["email"]).toBe(email);
    const { error } = await anonClient(project).auth.signInWithPassword({ email, password: PASSWORD });
    expect(error).toBeNull();
  });
});

describe("a body that is no request", () => {
  test.each([
    "",
    "{bad",
    "[]",
    "null",
    "5",
    '{"email":5}',
    '{"password":["x"],"email":"a@b.co"}',
    '{"data":5}',
  ])("%j is 400 bad_json", async (body) => {
    for (const target of ["signup", "token?grant_type=password", "otp", "recover"]) {
      const answer = await raw(project, `/auth/v1/${target}`, { method: "POST", body });
      if (body === "" && answer.status === 200) continue;
      expect(answer.status).toBe(400);
      expect(["bad_json", "validation_failed"]).toContain(answer.json.error_code);
    }
  });

  test("null characters and endless addresses are refused", async () => {
    const post = (fields: object) =>
      raw(project, "/auth/v1/signup", { method: "POST", body: JSON.stringify(fields) });
    expect((await post({ email: "a\u0000@b.co", password: PASSWORD })).status).toBe(400);
    expect((await post({ email: `${"a".repeat(300)}@b.co`, password: PASSWORD })).status).toBe(400);
    expect((await post({ email: newEmail(), password: PASSWORD, data: { a: "\u0000" } })).status).toBe(400);
  });

  test("an unknown grant", async () => {
    const answer = await raw(project, "/auth/v1/token?grant_type=guess", { method: "POST", body: "{}" });
    expect(answer.status).toBe(400);
  });
});
