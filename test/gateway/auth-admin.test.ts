import { describe, expect, test } from "vitest";
import { adminClient, anonClient, newEmail, PASSWORD, raw, signedInUser, useProject } from "./support.ts";

const project = useProject();
const admin = () => adminClient(project).auth.admin;
const NOBODY = "00000000-0000-4000-8000-000000000001";

describe("who may", () => {
  test("only the secret key", async () => {
    const { token } = await signedInUser(project);
    const list = (headers: Record<string, string>) => raw(project, "/auth/v1/admin/users", { headers });
    expect((await list({})).json.error_code).toBe("no_authorization");
    for (const bearer of [token, project.publishableKey]) {
      const answer = await list({ authorization: `Bearer ${bearer}` });
      expect([answer.status, answer.json]).toEqual([
        403,
        { code: 403, error_code: "not_admin", msg: "User not allowed" },
      ]);
    }
    expect((await list({ apikey: project.secretKey, authorization: `Bearer ${token}` })).status).toBe(403);
    expect((await list({ apikey: project.secretKey })).status).toBe(200);
  });

  test.each(["POST /invite", "POST /admin/generate_link", `DELETE /admin/users/${NOBODY}`])(
    "%s is closed to others",
    async (what) => {
      const [method = "", path = ""] = what.split(" ");
      const answer = await raw(project, `/auth/v1${path}`, {
        method,
        body: "{}",
        headers: { authorization: `Bearer ${project.publishableKey}` },
      });
      expect(answer.status).toBe(403);
    },
  );
});

describe("creating", () => {
  test("a user who can sign in at once", async () => {
    const email = newEmail();
    const { data, error } = await admin().createUser({
      email,
      password: PASSWORD,
      email_confirm: true,
      user_metadata: { nick: "N" },
      app_metadata: { plan: "pro" },
    });
    expect(error).toBeNull();
    expect(data.user).toMatchObject({
      email,
      role: "authenticated",
      aud: "authenticated",
      user_metadata: { nick: "N", email_verified: true },
      app_metadata: { plan: "pro", provider: "email", providers: ["email"] },
      email_confirmed_at: expect.any(String),
    });
    expect(data.user?.identities?.[0]).toMatchObject({ provider: "email", identity_data: { email } });
    expect(
      (await anonClient(project).auth.signInWithPassword({ email, password: PASSWORD })).error,
    ).toBeNull();
  });

  test("with an id of one's own", async () => {
    const id = crypto.randomUUID();
    const attributes = { email: newEmail(), id } as object;
    expect((await admin().createUser(attributes)).data.user?.id).toBe(id);
  });

  test("one whose address is not confirmed cannot sign in", async () => {
    const email = newEmail();
    await admin().createUser({ email, password: PASSWORD });
    const { error } = await anonClient(project).auth.signInWithPassword({ email, password: PASSWORD });
    expect(error).toMatchObject({ status: 400, code: "email_not_confirmed" });
  });

  test.each([
    ["nothing", {}, 400, "validation_failed"],
    ["no address", { email: "no address" }, 400, "validation_failed"],
    ["a short password", { email: "p@example.com", password: "x" }, 422, "weak_password"],
    ["a long password", { email: "p@example.com", password: "x".repeat(73) }, 400, "validation_failed"],
    ["a strange id", { email: "p@example.com", id: "7" }, 400, "validation_failed"],
    ["a strange ban", { email: "p@example.com", ban_duration: "soon" }, 400, "validation_failed"],
  ])("%s is refused", async (_what, attributes, status, code) => {
    const { error } = await admin().createUser(attributes as object);
    expect(error).toMatchObject({ status, code });
  });

  test("an address that is taken is refused, in any case", async () => {
    const { email } = await signedInUser(project);
    for (const taken of [email, email.toUpperCase()]) {
      expect((await admin().createUser({ email: taken })).error).toMatchObject({
        status: 422,
        code: "email_exists",
        message: "A user with this email address has already been registered",
      });
    }
  });
});

describe("listing", () => {
  test("pages, totals and links", async () => {
    for (let n = 0; n < 3; n++) await admin().createUser({ email: newEmail() });
    const first = await admin().listUsers({ page: 1, perPage: 2 });
    if (first.error) throw first.error;
    const { total, nextPage, users } = first.data;
    expect(users).toHaveLength(2);
    expect(total).toBeGreaterThanOrEqual(3);
    expect(nextPage).toBe(2);
    // supabase-js reads one digit of the last page's number.
    const lastPage = Math.ceil(total / 2);
    const last = await admin().listUsers({ page: lastPage, perPage: 2 });
    expect(last.data.users.length).toBe(total % 2 === 0 ? 2 : 1);
    const answer = await raw(project, "/auth/v1/admin/users?page=1&per_page=2", {
      headers: { apikey: project.secretKey },
    });
    expect(answer.json.aud).toBe("authenticated");
    expect(answer.headers.get("x-total-count")).toBe(String(total));
    expect(answer.headers.get("link")).toBe(
      `</admin/users?page=2&per_page=2>; rel="next", </admin/users?page=${lastPage}&per_page=2>; rel="last"`,
    );
  });

  test.each(["page=x", "per_page=0", "per_page=-1"])("%s is refused", async (query) => {
    const answer = await raw(project, `/auth/v1/admin/users?${query}`, {
      headers: { apikey: project.secretKey },
    });
    expect([answer.status, answer.json.error_code]).toEqual([400, "validation_failed"]);
  });
});

describe("one user", () => {
  test("read; unknown; no uuid", async () => {
    const { id, email } = await signedInUser(project);
    expect((await admin().getUserById(id)).data.user?.email).toBe(email);
    expect((await admin().getUserById(NOBODY)).error).toMatchObject({ status: 404, code: "user_not_found" });
    const answer = await raw(project, "/auth/v1/admin/users/7", { headers: { apikey: project.secretKey } });
    expect([answer.status, answer.json.error_code]).toEqual([404, "validation_failed"]);
  });

  test("updated: metadata merged key by key, null removes", async () => {
    const { id } = await signedInUser(project);
    await admin().updateUserById(id, {
      user_metadata: { a: 1, b: 2 },
      app_metadata: { plan: "pro", trial: true },
    });
    const { data } = await admin().updateUserById(id, {
      user_metadata: { b: null, c: 3 },
      app_metadata: { trial: null },
    });
    expect(data.user?.user_metadata).toEqual({ a: 1, c: 3, email_verified: true });
    expect(data.user?.app_metadata).toEqual({ plan: "pro", provider: "email", providers: ["email"] });
  });

  test("updated: address, password, confirmation", async () => {
    const { data } = await admin().createUser({ email: newEmail() });
    const id = data.user?.id ?? "";
    const email = newEmail();
    const updated = await admin().updateUserById(id, {
      email,
      password: "brand new password",
      email_confirm: true,
    });
    expect(updated.data.user).toMatchObject({
      email,
      identities: [{ identity_data: { email, email_verified: true } }],
    });
    const { error } = await anonClient(project).auth.signInWithPassword({
      email,
      password: "brand new password",
    });
    expect(error).toBeNull();
    const taken = (await signedInUser(project)).email;
    expect((await admin().updateUserById(id, { email: taken })).error).toMatchObject({
      status: 422,
      code: "email_exists",
    });
    expect((await admin().updateUserById(id, { password: "x" })).error).toMatchObject({
      code: "weak_password",
    });
    expect((await admin().updateUserById(id, { ban_duration: "tomorrow" })).error).toMatchObject({
      status: 400,
      code: "validation_failed",
    });
  });

  test("banned: neither signs in nor refreshes, until the ban is lifted", async () => {
    const { id, email, client } = await signedInUser(project);
    const { data } = await admin().updateUserById(id, { ban_duration: "1h30m" });
    expect(Date.parse(data.user?.banned_until ?? "")).toBeGreaterThan(Date.now() + 3_600_000);
    const signIn = () => anonClient(project).auth.signInWithPassword({ email, password: PASSWORD });
    expect((await signIn()).error).toMatchObject({ status: 400, code: "user_banned" });
    expect((await client.auth.refreshSession()).error).toMatchObject({ status: 400, code: "user_banned" });
    await admin().updateUserById(id, { ban_duration: "none" });
    expect((await signIn()).error).toBeNull();
  });

  test("deleted: the old token answers user_not_found, the refresh token nothing", async () => {
    const { id, email, token, client } = await signedInUser(project);
    const refresh_token = (await client.auth.getSession()).data.session?.refresh_token ?? "";
    expect((await admin().deleteUser(id)).error).toBeNull();
    expect((await anonClient(project).auth.getUser(token)).error).toMatchObject({
      status: 403,
      code: "user_not_found",
    });
    expect((await anonClient(project).auth.refreshSession({ refresh_token })).error?.status).toBe(400);
    const { error } = await anonClient(project).auth.signInWithPassword({ email, password: PASSWORD });
    expect(error?.code).toBe("invalid_credentials");
    expect((await admin().deleteUser(id)).error).toMatchObject({ status: 404, code: "user_not_found" });
  });

  test("deleted softly: the row stays, the address is free, nobody signs in", async () => {
    const { id, email, client } = await signedInUser(project);
    expect((await admin().deleteUser(id, true)).error).toBeNull();
    const [row] =
      await project.sql`select deleted_at is not null as deleted, email from auth.users where id = ${id}`;
    expect(row?.["deleted"]).toBe(true);
    expect(row?.["email"]).not.toBe(email);
    expect((await client.auth.refreshSession()).error?.status).toBe(400);
    expect((await admin().createUser({ email })).error).toBeNull();
  });
});
