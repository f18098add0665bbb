import { createHmac, generateKeyPairSync, sign as signWith } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { tokenKeys } from "../../src/stack/gateway/tokens.ts";
import { publicJwks } from "../../src/stack/keys.ts";
import { restFixture } from "./fixtures.ts";
import { anonClient, describeLocal, raw, signedInUser, useProject } from "./support.ts";

const project = useProject(restFixture);
const caller = (headers: Record<string, string>, query = "") =>
  raw(project, `/rest/v1/rpc/contract_caller${query}`, { method: "POST", body: "{}", headers });

describe("API keys", () => {
  test.each(["/rest/v1/contract_items", "/auth/v1/settings", "/auth/v1/token?grant_type=password"])(
    "%s needs one",
    async (target) => {
      const answer = await fetch(project.url + target);
      expect(answer.status).toBe(401);
      expect(await answer.json()).toEqual({
        message: "No API key found in request",
        hint: "No `apikey` request header or url param was found.",
      });
    },
  );

  test("an unknown key is refused", async () => {
    for (const apikey of [
      "sb_publishable_unknown",
      `${project.publishableKey}x`,
      "eyJhbGciOiJIUzI1NiJ9.e30.x",
    ]) {
      const answer = await caller({ apikey });
      expect([answer.status, answer.json]).toEqual([
        401,
        { message: "Invalid API key", hint: "Double check your Supabase `apikey`" },
      ]);
    }
  });

  test("the publishable key is anon, the secret key service_role", async () => {
    expect((await caller({ apikey: project.publishableKey })).json.user).toBe("anon");
    expect((await caller({ apikey: project.secretKey })).json.user).toBe("service_role");
  });

  test("in the query as well, which no filter sees", async () => {
    const answer = await fetch(`${project.url}/rest/v1/contract_items?apikey=${project.secretKey}&select=id`);
    expect(answer.status).toBe(200);
  });

  test("the key itself as bearer is no user token", async () => {
    for (const key of [project.publishableKey, project.secretKey]) {
      const answer = await caller({ apikey: key, authorization: `Bearer ${key}` });
      expect([answer.status, answer.json.uid]).toEqual([200, null]);
    }
  });

  test("a publishable key with the secret key as bearer stays anon", async () => {
    const answer = await caller({
      apikey: project.publishableKey,
      authorization: `Bearer ${project.secretKey}`,
    });
    expect(answer.json.user).toBe("anon");
  });

  test("a user's token decides over the key's role", async () => {
    const { token, id } = await signedInUser(project);
    for (const apikey of [project.publishableKey, project.secretKey]) {
      const answer = await caller({ apikey, authorization: `Bearer ${token}` });
      expect(answer.json).toMatchObject({ user: "authenticated", uid: id });
    }
  });

  test("a secret key from a browser is refused", async () => {
    const answer = await caller({
      apikey: project.secretKey,
      "user-agent": "Mozilla/5.0 (X11; Linux x86_64)",
    });
    expect([answer.status, answer.json.message]).toEqual([401, "Forbidden use of secret API key in browser"]);
  });
});

describe("signed tokens", () => {
  test("are ES256, verified by the JWKS and by getClaims", async () => {
    const { client, token, id } = await signedInUser(project);
    const [header = ""] = token.split(".");
    const { alg, kid } = JSON.parse(Buffer.from(header, "base64url").toString());
    expect(alg).toBe("ES256");
    const answer = await fetch(`${project.url}/auth/v1/.well-known/jwks.json`);
    const { keys } = (await answer.json()) as { keys: Record<string, string>[] };
    const key = keys.find((candidate) => candidate["kid"] === kid);
    expect(key).toMatchObject({ kty: "EC", crv: "P-256", alg: "ES256" });
    expect(key).not.toHaveProperty("d");
    const { data, error } = await client.auth.getClaims();
    expect(error).toBeNull();
    expect(data?.claims.sub).toBe(id);
    expect(data?.header.alg).toBe("ES256");
  });

  test("carry the claims of hosted ones", async () => {
    const { client, id, email } = await signedInUser(project);
    const { data } = await client.auth.getClaims();
    expect(data?.claims).toMatchObject({
      iss: `${project.url}/auth/v1`,
      sub: id,
      aud: "authenticated",
      email,
      phone: "",
      app_metadata: { provider: "email", providers: ["email"] },
      user_metadata: { email_verified: true },
      role: "authenticated",
      aal: "aal1",
      amr: [{ method: "password", timestamp: expect.any(Number) }],
      session_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      is_anonymous: false,
    });
    const { exp = 0, iat = 0 } = data?.claims ?? {};
    expect(exp - iat).toBe(3600);
  });
});

const refusal = { code: "PGRST301", details: "None of the keys was able to decode the JWT", hint: null };
const bearer = (token: string) => caller({ authorization: `Bearer ${token}` });

describe("tokens that are none", () => {
  test.each([
    ["no JWT", "nonsense", { code: "PGRST301", message: "Expected 3 parts in JWT; got 1" }],
    ["two parts", "a.b", { code: "PGRST301", message: "Expected 3 parts in JWT; got 2" }],
    ["garbage in three parts", "a.b.c", { ...refusal, message: "No suitable key or wrong key type" }],
  ])("%s", async (_what, token, body) => {
    const answer = await bearer(token);
    expect([answer.status, answer.json]).toEqual([401, { details: null, hint: null, ...body }]);
    expect(answer.headers.get("www-authenticate")).toBe(
      `Bearer error="invalid_token", error_description="${body.message}"`,
    );
  });
});

describeLocal("forged tokens", () => {
  const now = Math.floor(Date.now() / 1000);
  const base = {
    sub: "00000000-0000-4000-8000-000000000001",
    aud: "authenticated",
    exp: now + 600,
    iat: now,
  };
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  let issuer = "";
  let kid = "";
  let mine: Awaited<ReturnType<typeof tokenKeys>>;
  const local = () => {
    if (!project.local) throw new Error("local only");
    return project.local;
  };
  const good = () => ({ ...base, iss: issuer, role: "authenticated" });

  beforeAll(async () => {
    issuer = `${project.url}/auth/v1`;
    kid = String(local().keys.signingKey.kid);
    mine = await tokenKeys(local().keys, issuer);
  });

  const hs256 = (claims: object, secret: string) => {
    const signed = `${part({ alg: "HS256", typ: "JWT", kid })}.${part(claims)}`;
    return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
  };

  test("the real key makes a token that is believed", async () => {
    expect((await bearer(await mine.sign(good()))).json.user).toBe("authenticated");
  });

  test.each([
    ["alg none", () => `${part({ alg: "none", typ: "JWT" })}.${part({ ...good(), role: "service_role" })}.`],
    ["alg none with a kid", () => `${part({ alg: "none", kid })}.${part(good())}.x`],
    ["HS256 with the public key", () => hs256(good(), JSON.stringify(publicJwks(local().keys).keys[0]))],
    ["HS256 with the x coordinate", () => hs256(good(), String(local().keys.signingKey.x))],
    ["HS256 with the internal secret", () => hs256(good(), local().keys.internalSecret)],
    ["HS256 with the secret API key", () => hs256(good(), local().keys.secretKey)],
    ["HS256 with an empty secret", () => hs256(good(), "")],
    [
      "another ES256 key with our kid",
      () => {
        const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
        const signed = `${part({ alg: "ES256", typ: "JWT", kid })}.${part(good())}`;
        const signature = signWith("sha256", Buffer.from(signed), {
          key: privateKey,
          dsaEncoding: "ieee-p1363",
        });
        return `${signed}.${signature.toString("base64url")}`;
      },
    ],
    [
      "another key inside the header",
      () => {
        const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
        const signed = `${part({ alg: "ES256", jwk: publicKey.export({ format: "jwk" }) })}.${part(good())}`;
        const signature = signWith("sha256", Buffer.from(signed), {
          key: privateKey,
          dsaEncoding: "ieee-p1363",
        });
        return `${signed}.${signature.toString("base64url")}`;
      },
    ],
    [
      "changed claims under a real signature",
      async () => {
        const [header, , signature] = (await mine.sign(good())).split(".");
        return `${header}.${part({ ...good(), role: "service_role" })}.${signature}`;
      },
    ],
    ["another issuer", () => mine.sign({ ...good(), iss: "https://elsewhere.example/auth/v1" })],
    [
      "another kid",
      async () =>
        (
          await tokenKeys(
            { ...local().keys, signingKey: { ...local().keys.signingKey, kid: "other" } },
            issuer,
          )
        ).sign(good()),
    ],
    ["no expiry", () => mine.sign({ ...good(), exp: undefined } as never)],
  ])("%s", async (_what, make) => {
    const token = await make();
    const answer = await bearer(token);
    expect([answer.status, answer.json]).toEqual([
      401,
      { ...refusal, message: "No suitable key or wrong key type" },
    ]);
    const user = await raw(project, "/auth/v1/user", { headers: { authorization: `Bearer ${token}` } });
    expect([user.status, user.json.error_code]).toEqual([403, "bad_jwt"]);
    const users = await raw(project, "/auth/v1/admin/users", {
      headers: { authorization: `Bearer ${token}` },
    });
    expect([users.status, users.json.error_code]).toEqual([403, "bad_jwt"]);
  });

  test("expired", async () => {
    const token = await mine.sign({ ...good(), exp: now - 60 });
    const answer = await bearer(token);
    expect([answer.status, answer.json]).toEqual([
      401,
      { code: "PGRST303", details: null, hint: null, message: "JWT expired" },
    ]);
    expect(answer.headers.get("www-authenticate")).toBe(
      'Bearer error="invalid_token", error_description="JWT expired"',
    );
    const user = await raw(project, "/auth/v1/user", { headers: { authorization: `Bearer ${token}` } });
    expect([user.status, user.json]).toEqual([
      403,
      {
        code: 403,
        error_code: "bad_jwt",
        msg: "invalid JWT: unable to parse or verify signature, token has invalid claims: token is expired",
      },
    ]);
  });

  test("another audience", async () => {
    const answer = await bearer(await mine.sign({ ...good(), aud: "elsewhere" }));
    expect([answer.status, answer.json.message]).toEqual([401, "JWT not in audience"]);
  });

  test.each([
    "postgres",
    "supabase_admin",
    "supabase_auth_admin",
    "authenticator",
    "dashboard_user",
    "nobody",
    "",
  ])("role %j is not taken on", async (role) => {
    const answer = await bearer(await mine.sign({ ...good(), role }));
    expect([answer.status, answer.json.code]).toEqual([403, "42501"]);
  });

  test("role in user_metadata means nothing", async () => {
    const { client } = await signedInUser(project);
    await client.auth.updateUser({ data: { role: "service_role", app_metadata: { orgs: { x: "owner" } } } });
    await client.auth.refreshSession();
    const { data } = await client.rpc("contract_caller");
    expect(data.user).toBe("authenticated");
    expect(data.claims.app_metadata).toEqual({ provider: "email", providers: ["email"] });
  });

  test("nothing secret is in any answer", async () => {
    const { keys } = local();
    const secrets = [keys.secretKey, keys.internalSecret, String(keys.signingKey.d)];
    const targets = [
      "/",
      "/_system/info",
      "/rest/v1/",
      "/auth/v1/settings",
      "/auth/v1/health",
      "/auth/v1/.well-known/jwks.json",
    ];
    for (const target of targets) {
      const answer = await raw(project, target);
      for (const secret of secrets) expect(answer.text).not.toContain(secret);
      expect(answer.text).not.toMatch(/postgres(ql)?:\/\//);
    }
  });
});

describe("auth's own answers to a missing or foreign token", () => {
  test("none", async () => {
    const answer = await raw(project, "/auth/v1/user");
    expect([answer.status, answer.json.error_code]).toEqual([401, "no_authorization"]);
  });

  test("the API key as bearer", async () => {
    const answer = await raw(project, "/auth/v1/user", {
      headers: { authorization: `Bearer ${project.publishableKey}` },
    });
    expect([answer.status, answer.json]).toEqual([
      403,
      { code: 403, error_code: "bad_jwt", msg: "invalid claim: missing sub claim" },
    ]);
  });

  test("in API version 2024-01-01 as code and message", async () => {
    const headers = { authorization: "Bearer a.b", "x-supabase-api-version": "2024-01-01" };
    const answer = await raw(project, "/auth/v1/user", { headers });
    expect(answer.headers.get("x-supabase-api-version")).toBe("2024-01-01");
    expect(answer.json).toEqual({ code: "bad_jwt", message: expect.stringMatching(/^invalid JWT/) });
  });

  test("supabase-js sees the code", async () => {
    const { error } = await anonClient(project).auth.getUser("a.b.c");
    expect(error).toMatchObject({ status: 403, code: "bad_jwt" });
  });
});
