import { expect, test } from "vitest";
import {
  adminClient,
  anonClient,
  describeLocal,
  newEmail,
  PASSWORD,
  type Project,
  signedInUser,
  useProject,
} from "./support.ts";

const mailTo = ({ local }: Project, address: string) => {
  const mail = local?.mails.findLast(({ to }) => to === address);
  if (!mail) throw new Error(`no mail to ${address}`);
  return mail;
};

const follow = async (link: string) => {
  const answer = await fetch(link, { redirect: "manual" });
  const location = answer.headers.get("location") ?? "";
  const [target, fragment = ""] = location.split("#");
  return { status: answer.status, target, fragment: new URLSearchParams(fragment) };
};

describeLocal("codes and links by mail", () => {
  const project = useProject(undefined, { auth: { additionalRedirectUrls: ["https://app.example.com/**"] } });

  test("signInWithOtp: the code opens a session, once", async () => {
    const { email } = await signedInUser(project);
    const client = anonClient(project);
    expect((await client.auth.signInWithOtp({ email })).error).toBeNull();
    const { token, type } = mailTo(project, email);
    expect(type).toBe("magiclink");
    const wrong = await client.auth.verifyOtp({
      email,
      token: token === "111111" ? "222222" : "111111",
      type: "email",
    });
    expect(wrong.error).toMatchObject({
      status: 403,
      code: "otp_expired",
      message: "Token has expired or is invalid",
    });
    const { error } = await client.auth.verifyOtp({ email, token, type: "email" });
    expect(error).toBeNull();
    const claims = (await client.auth.getClaims()).data?.claims;
    expect(claims?.amr).toMatchObject([{ method: "otp" }]);
    expect((await client.auth.verifyOtp({ email, token, type: "email" })).error?.code).toBe("otp_expired");
  });

  test("signInWithOtp: by the hash of the link, for a new address, with data; or not at all", async () => {
    const email = newEmail();
    const client = anonClient(project);
    expect(
      (await client.auth.signInWithOtp({ email, options: { shouldCreateUser: false } })).error,
    ).toMatchObject({
      status: 422,
      code: "otp_disabled",
    });
    await client.auth.signInWithOtp({ email, options: { data: { nick: "N" } } });
    const { data } = await client.auth.verifyOtp({
      token_hash: mailTo(project, email).tokenHash,
      type: "email",
    });
    expect(data.user?.user_metadata["nick"]).toBe("N");
    const sessions = await project.sql`select 1 from auth.sessions where user_id = ${data.user?.id ?? ""}`;
    expect(sessions).toHaveLength(1);
  });

  test("resetPasswordForEmail: the link redirects with a session of our own tokens", async () => {
    const { email, id } = await signedInUser(project);
    await anonClient(project).auth.resetPasswordForEmail(email, {
      redirectTo: "http://localhost:3000/reset",
    });
    const { link, type } = mailTo(project, email);
    expect(type).toBe("recovery");
    expect(link.startsWith(`${project.url}/auth/v1/verify?`)).toBe(true);
    const { status, target, fragment } = await follow(link);
    expect([status, target, fragment.get("type")]).toEqual([303, "http://localhost:3000/reset", "recovery"]);
    const client = anonClient(project);
    await client.auth.setSession({
      access_token: fragment.get("access_token") ?? "",
      refresh_token: fragment.get("refresh_token") ?? "",
    });
    expect((await client.auth.getClaims()).data?.claims.sub).toBe(id);
    expect((await client.auth.updateUser({ password: "recovered password" })).error).toBeNull();
    const again = await follow(link);
    expect([again.target, again.fragment.get("error_code")]).toEqual([
      "http://localhost:3000/reset",
      "otp_expired",
    ]);
  });

  test("a link leads only where it may", async () => {
    const { email } = await signedInUser(project);
    const reset = async (redirectTo: string) => {
      await anonClient(project).auth.resetPasswordForEmail(email, { redirectTo });
      return (await follow(mailTo(project, email).link)).target;
    };
    expect(await reset("https://app.example.com/welcome")).toBe("https://app.example.com/welcome");
    expect(await reset("https://evil.example.org/")).toBe("http://localhost:3000");
  });

  test("an unknown address gets no mail and no hint", async () => {
    const email = newEmail();
    expect((await anonClient(project).auth.resetPasswordForEmail(email)).error).toBeNull();
    expect(() => mailTo(project, email)).toThrow();
  });

  test("inviteUserByEmail", async () => {
    const admin = adminClient(project).auth.admin;
    const email = newEmail();
    const { data, error } = await admin.inviteUserByEmail(email, { data: { team: "a" } });
    expect(error).toBeNull();
    expect(data.user).toMatchObject({ email, invited_at: expect.any(String), user_metadata: { team: "a" } });
    const mail = mailTo(project, email);
    expect(mail.type).toBe("invite");
    const client = anonClient(project);
    expect((await client.auth.verifyOtp({ email, token: mail.token, type: "invite" })).error).toBeNull();
    expect((await client.auth.updateUser({ password: PASSWORD })).error).toBeNull();
    expect((await admin.inviteUserByEmail(email)).error).toMatchObject({ status: 422, code: "email_exists" });
    expect((await admin.inviteUserByEmail("no address")).error).toMatchObject({
      status: 400,
      code: "validation_failed",
    });
  });

  test.each(["signup", "invite", "magiclink", "recovery"] as const)("generateLink: %s", async (type) => {
    const admin = adminClient(project).auth.admin;
    const email = type === "signup" || type === "invite" ? newEmail() : (await signedInUser(project)).email;
    const params = type === "signup" ? { type, email, password: PASSWORD } : { type, email };
    const { data, error } = await admin.generateLink(params as Parameters<typeof admin.generateLink>[0]);
    expect(error).toBeNull();
    expect(data.properties).toMatchObject({ verification_type: type, redirect_to: "http://localhost:3000" });
    const { fragment } = await follow(data.properties?.action_link ?? "");
    const claims = (await anonClient(project).auth.getClaims(fragment.get("access_token") ?? "")).data
      ?.claims;
    expect(claims?.sub).toBe(data.user?.id);
    expect(() => mailTo(project, email)).toThrow();
  });

  test("generateLink for nobody", async () => {
    const { error } = await adminClient(project).auth.admin.generateLink({
      type: "recovery",
      email: newEmail(),
    });
    expect(error).toMatchObject({ status: 404, code: "user_not_found" });
  });
});

describeLocal("with enable_confirmations", () => {
  const project = useProject(undefined, { auth: { autoconfirm: false } });

  test("signUp sends a code and opens no session before it is back", async () => {
    const client = anonClient(project);
    const email = newEmail();
    const { data } = await client.auth.signUp({ email, password: PASSWORD });
    expect([data.session, data.user?.email_confirmed_at]).toEqual([null, undefined]);
    const signIn = await client.auth.signInWithPassword({ email, password: PASSWORD });
    expect(signIn.error).toMatchObject({ status: 400, code: "email_not_confirmed" });
    const first = mailTo(project, email);
    await client.auth.resend({ type: "signup", email });
    const second = mailTo(project, email);
    expect(second).not.toBe(first);
    expect((await client.auth.verifyOtp({ email, token: second.token, type: "signup" })).error).toBeNull();
    expect((await client.auth.getUser()).data.user?.user_metadata["email_verified"]).toBe(true);
  });

  test("signing up again does not tell whether the address has an account", async () => {
    const { email } = await signedInUser(project);
    const { data, error } = await anonClient(project).auth.signUp({ email, password: "some other password" });
    expect(error).toBeNull();
    expect([data.session, data.user?.identities]).toEqual([null, []]);
    expect(data.user?.email).toBe(email);
    expect(
      (await anonClient(project).auth.signInWithPassword({ email, password: PASSWORD })).error,
    ).toBeNull();
  });

  test("a code to a new address proves it before it counts", async () => {
    const client = anonClient(project);
    const email = newEmail();
    await client.auth.signInWithOtp({ email });
    const [before] = await project.sql`select email_confirmed_at from auth.users where email = ${email}`;
    expect(before?.["email_confirmed_at"]).toBeNull();
    const { token, type } = mailTo(project, email);
    expect(type).toBe("signup");
    expect((await client.auth.verifyOtp({ email, token, type: "email" })).error).toBeNull();
    expect((await client.auth.getUser()).data.user?.email_confirmed_at).toBeTruthy();
  });
});
