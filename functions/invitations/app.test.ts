import assert from "node:assert/strict";
import { AppError, type ErrorBody, type ErrorCode, errorCodes } from "../_shared/errors.ts";
import type { Mail, Mailer } from "../_shared/mailer.ts";
import { createTestLog, createTestProject } from "../_shared/testing.ts";
import { createApp } from "./app.ts";
import { type Backend, createBackend, type NewInvitation } from "./backend.ts";

const { keys, secretKey, publishableKey, signToken } = await createTestProject();
const organizationId = crypto.randomUUID();
const invited: NewInvitation = {
  id: crypto.randomUUID(),
  organizationId,
  email: "grace@example.com",
  roleKey: "developer",
  expiresAt: "2026-12-01T10:30:00+00:00",
  token: "canary-token",
};
const accept_url = "https://app.example.com/invitations/accept#token=canary-token";

function createTestApp(options: {
  backend?: Partial<Backend>;
  send?: Mailer["send"] | null;
  delivers?: boolean;
} = {}) {
  const { log, lines } = createTestLog();
  const mails: Mail[] = [];
  const backend: Backend = {
    invite: () => Promise.resolve(invited),
    resend: () => Promise.resolve(invited),
    surroundings: () =>
      Promise.resolve({ organizationName: "Acme", roleName: "Developer", inviterName: "Ada" }),
    ...options.backend,
  };
  const send = options.send ?? ((mail: Mail) => Promise.resolve(void mails.push(mail)));
  const app = createApp({
    appUrl: () => "https://app.example.com/",
    mailer: () => options.send === null ? undefined : { delivers: options.delivers ?? true, send },
    connect: () => backend,
    log,
    keys,
  });
  return { app, mails, lines };
}

type App = ReturnType<typeof createTestApp>["app"];
const token = await signToken();
const headers = {
  authorization: `Bearer ${token}`,
  apikey: publishableKey,
  "content-type": "application/json",
};
const body = { organization_id: organizationId, email: "grace@example.com", role_key: "developer" };
const invite = (app: App, changes: object = {}, extra: RequestInit = {}) =>
  app.request("/invitations", {
    method: "POST",
    headers,
    body: JSON.stringify({ ...body, ...changes }),
    ...extra,
  });
const resend = (app: App, id = invited.id) =>
  app.request(`/invitations/${id}/resend`, { method: "POST", headers });

const created = {
  id: invited.id,
  email: invited.email,
  role_key: "developer",
  expires_at: invited.expiresAt,
};

Deno.test("201: invited or sent again by mail; the token is in the mail alone", async () => {
  for (const request of [invite, resend]) {
    const { app, mails, lines } = createTestApp();
    const response = await request(app);
    assert.equal(response.status, 201);
    assert.equal(response.headers.get("cache-control"), "no-store");
    const text = await response.text();
    assert.deepEqual(JSON.parse(text), { ...created, delivery: "sent" });
    assert.equal(mails.length, 1);
    assert.ok(mails[0]?.text.includes(accept_url));
    assert.doesNotMatch(text + JSON.stringify(lines), /canary/);
    assert.equal(lines[0]?.["organization"], organizationId);
  }
});

Deno.test("201: where no mails are sent, the answer has the link, this once", async () => {
  for (const options of [{ send: null }, { delivers: false }]) {
    const response = await invite(createTestApp(options).app);
    assert.equal(response.status, 201);
    assert.deepEqual(await response.json(), { ...created, delivery: "not_sent", accept_url });
  }
});

Deno.test("201: a mail server that fails takes nothing back; its words are only logged", async () => {
  const send = () => Promise.reject(new Error("smtps://u:hunter2@mail.internal refused"));
  const { app, lines } = createTestApp({ send });
  const response = await invite(app);
  assert.deepEqual(await response.json(), { ...created, delivery: "not_sent", accept_url });
  assert.equal(lines[0]?.["level"], "warn");
  assert.doesNotMatch(JSON.stringify(lines), /hunter2|canary/);
});

for (
  const code of [
    "invalid_email",
    "unknown_role",
    "not_permitted",
    "role_above_own",
    "invitation_not_found",
    "already_member",
    "already_invited",
    "too_many_invitations",
    "database_unavailable",
  ] satisfies ErrorCode[]
) {
  Deno.test(`${errorCodes[code].status}: ${code}, and no mail`, async () => {
    const refuse = () => Promise.reject(new AppError(code));
    const { app, mails } = createTestApp({ backend: { invite: refuse, resend: refuse } });
    for (const response of [await invite(app), await resend(app)]) {
      assert.equal(response.status, errorCodes[code].status);
      assert.equal((await response.json() as ErrorBody).error.code, code);
    }
    assert.deepEqual(mails, []);
  });
}

Deno.test("400: what is no invitation", async () => {
  const { app } = createTestApp({ backend: { invite: () => assert.fail("not asked") } });
  for (
    const changes of [
      { organization_id: "acme" },
      { email: 1 },
      { email: "x".repeat(255) },
      { role_key: null },
    ]
  ) {
    const response = await invite(app, changes);
    assert.equal(response.status, 400);
    assert.equal((await response.json() as ErrorBody).error.code, "validation_failed");
  }
  assert.equal((await resend(app, "not-an-id")).status, 400);
});

Deno.test("401: for people who are signed in", async () => {
  const { app } = createTestApp({ backend: { invite: () => assert.fail("not asked") } });
  const json = { "content-type": "application/json" };
  for (const given of [{}, { apikey: secretKey }, { authorization: "Bearer x" }]) {
    assert.equal((await invite(app, {}, { headers: { ...json, ...given } })).status, 401);
  }
});

Deno.test("500: a backend without APP_URL invites nobody", async () => {
  const app = createApp({
    appUrl: () => {
      throw new Error("APP_URL is missing.");
    },
    mailer: () => undefined,
    connect: () => ({ invite: () => assert.fail("not asked") }) as unknown as Backend,
    log: () => {},
    keys,
  });
  assert.equal((await invite(app)).status, 500);
});

Deno.test("who is invited and who is written to is the same address, whatever is around it", async () => {
  const asked: { p_email: string }[] = [];
  const answer = { data: [{ invitation_id: "i", token: "t", expires_at: "e" }], error: null, status: 200 };
  const rpc = (_: string, args: { p_email: string }) => {
    asked.push(args);
    return { setHeader: () => Promise.resolve(answer) };
  };
  const backend = createBackend({ supabase: { rpc } as never, userClaims: null }, "request");
  const { email } = await backend.invite(organizationId, "\u00a0Grace@Example.com\n", "developer");
  assert.equal(email, "grace@example.com");
  assert.equal(asked[0]?.p_email, email);
});
