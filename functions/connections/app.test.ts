import assert from "node:assert/strict";
import { createAddressGuard } from "../_shared/address-guard.ts";
import { AppError, type ErrorBody, type ErrorCode, errorCodes } from "../_shared/errors.ts";
import { createSecretBox } from "../_shared/secret-box.ts";
import { createTestLog, createTestProject } from "../_shared/testing.ts";
import { createApp } from "./app.ts";
import type { Backend, KeyRing } from "./backend.ts";
import type { Engine, TestSuccess } from "./engine.ts";
import { ConnectionFailure } from "./failures.ts";
import type { Connection, IntrospectionResult, TestResult } from "./schemas.ts";
import { canary, fakeEngine, fakeSnapshot, memoryBackend, target } from "./testing.ts";
import { createTester } from "./tester.ts";

const { keys, secretKey, publishableKey, signToken } = await createTestProject();
const token = await signToken();
const organization_id = crypto.randomUUID();
const masterKey = (byte: number) => `k${byte}:${btoa(String.fromCharCode(byte).repeat(32))}`;

const found: TestSuccess = {
  server: { product: "PostgreSQL", version: "17.0", edition: null },
  tls: { version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384", certificate: null },
  phases: { tls: 1.234, login: 2, query: 3 },
};

function createTestApp(options: {
  engine?: Partial<Engine>;
  backend?: Partial<Backend>;
  masterKeys?: string | undefined;
  unverifiedTls?: boolean;
  testsElsewhere?: string;
  fetch?: typeof fetch;
  keyRing?: KeyRing;
  saves?: boolean;
} = {}) {
  const { log, lines } = createTestLog();
  const memory = memoryBackend();
  const engine = fakeEngine({ test: () => Promise.resolve(found), ...options.engine });
  const engines = { mssql: engine, postgres: engine, mysql: engine };
  const saved: unknown[][] = [];
  const masterKeys = "masterKeys" in options ? options.masterKeys : masterKey(1);
  const app = createApp({
    engines,
    tester: createTester({
      engines,
      guard: () => createAddressGuard({ resolve: () => Promise.resolve(["127.0.0.1"]) }),
      runtime: { tlsInsideTds: true },
      attemptMs: 1,
    }),
    secretBox: createSecretBox(() => masterKeys),
    unverifiedTls: () => options.unverifiedTls ?? false,
    ...(options.testsElsewhere && { testsElsewhere: () => options.testsElsewhere }),
    ...(options.saves && {
      schemaStore: {
        save: (...args) => {
          saved.push(args);
          return Promise.resolve({ snapshot_id: "s1", changes: [] });
        },
      },
    }),
    ...(options.fetch && { fetch: options.fetch }),
    connect: () => ({ ...memory, ...options.backend }),
    ...(options.keyRing && { connectKeyRing: () => options.keyRing as KeyRing }),
    log,
    keys,
  });
  const call = (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
    signal: AbortSignal | null = null,
  ) =>
    Promise.resolve(app.request(`/connections${path}`, {
      method,
      signal,
      headers: {
        authorization: `Bearer ${token}`,
        apikey: publishableKey,
        "content-type": "application/json",
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    }));
  return { app, call, lines, memory, saved };
}
type TestApp = ReturnType<typeof createTestApp>;

const input = { organization_id, name: "Shop", ...target };
const add = async ({ call }: TestApp, changes: object = {}) => {
  const response = await call("POST", "", { ...input, ...changes });
  assert.equal(response.status, 201, await response.clone().text());
  return await response.json() as Connection;
};
async function refused(response: Promise<Response>, code: ErrorCode) {
  const answer = await response;
  const { error } = await answer.json() as ErrorBody;
  assert.deepEqual([answer.status, error.code], [errorCodes[code].status, code], JSON.stringify(error));
  return { error, headers: answer.headers };
}

Deno.test("201, 200, 204: added, read, listed, changed, deleted; the password is in no answer or line", async () => {
  const test = createTestApp();
  const answers: string[] = [];
  const call: TestApp["call"] = async (...args) => {
    const response = await test.call(...args);
    answers.push(await response.clone().text());
    return response;
  };
  const added = await add({ ...test, call });
  assert.equal(added.name, "Shop");
  assert.equal(added.revision, 1);
  assert.ok(!("secret_version" in added) && !("password" in added));
  const path = `/${added.id}`;

  assert.deepEqual(await (await call("GET", path)).json(), added);
  const listed = await (await call("GET", `?organization_id=${organization_id}`)).json();
  assert.deepEqual(listed, { connections: [added] });

  const renamed = await (await call("PATCH", path, { name: "Store" })).json() as Connection;
  assert.deepEqual([renamed.name, renamed.revision], ["Store", 2]);
  await refused(call("PATCH", path, { host: "evil.example.com" }), "password_required");
  const moved = await call("PATCH", path, { host: "new.example.com", password: `${canary}-2` });
  assert.equal((await moved.json() as Connection).host, "new.example.com");
  await refused(call("PATCH", path, { revision: 1, name: "Late" }), "connection_changed");

  const tested = await call("POST", `${path}/test`);
  assert.equal(tested.headers.get("cache-control"), "no-store");
  assert.equal((await tested.json() as TestResult).ok, true);

  const gone = await call("DELETE", path);
  assert.deepEqual([gone.status, await gone.text()], [204, ""]);
  for (const [method, at] of [["GET", path], ["DELETE", path], ["POST", `${path}/test`]] as const) {
    await refused(call(method, at), "connection_not_found");
  }
  await refused(call("PATCH", path, { name: "x" }), "connection_not_found");
  assert.doesNotMatch(answers.join() + JSON.stringify(test.lines), /canary/);
  assert.ok(test.lines.some(({ organization }) => organization === organization_id));
});

Deno.test("a test of a kept connection gets its own password, and is kept", async () => {
  const given: unknown[] = [];
  const test = createTestApp({
    engine: {
      test: ({ password, host, tls }) => {
        given.push({ password, host, tls });
        return Promise.resolve(found);
      },
    },
  });
  const { id } = await add(test);
  const answer = await (await test.call("POST", `/${id}/test`)).json() as TestResult;
  assert.deepEqual(given, [
    { password: canary, host: target.host, tls: { mode: "verify-full", ca: undefined } },
  ]);
  assert.ok(answer.ok);
  const { total, dns, tcp, ...rest } = answer.latency_ms;
  assert.deepEqual(rest, { tls: 1.2, login: 2, query: 3 });
  assert.deepEqual([dns, tcp], [null, null]);
  assert.ok(total >= 0);
  assert.deepEqual(answer.server, found.server);
  assert.deepEqual(test.memory.results, [answer]);

  await test.call("PATCH", `/${id}`, { password: `${canary}-new` });
  await test.call("POST", `/${id}/test`);
  assert.equal((given.at(-1) as { password: string }).password, `${canary}-new`);
});

Deno.test("a test that its caller leaves is not kept", async () => {
  const caller = new AbortController();
  const test = createTestApp({
    engine: {
      test: () => {
        caller.abort();
        return new Promise<never>(() => {});
      },
    },
  });
  const { id } = await add(test);
  await test.call("POST", `/${id}/test`, undefined, {}, caller.signal);
  assert.deepEqual(test.memory.results, []);
});

Deno.test("an ad hoc test keeps nothing", async () => {
  const test = createTestApp();
  const answer = await test.call("POST", "/test", { organization_id, ...target });
  assert.equal((await answer.json() as TestResult).ok, true);
  assert.deepEqual([test.memory.rows.size, test.memory.results.length], [0, 0]);
});

Deno.test("a failure is an answer: a code, a sentence, and what was learned", async () => {
  const cases = [
    [new ConnectionFailure("login_failed"), { code: "login_failed" }],
    [new ConnectionFailure("tls_failed", { reason: "wrong_name" }), {
      code: "tls_failed",
      reason: "wrong_name",
    }],
    [
      new ConnectionFailure("runtime_unsupported", { facts: { version: "16.0", encryption: "required" } }),
      { code: "runtime_unsupported", facts: { version: "16.0", encryption: "required" } },
    ],
    [Object.assign(new Error(canary), { code: "ESOCKET" }), { code: "unsupported_server" }],
  ] as const;
  for (const [thrown, expected] of cases) {
    const test = createTestApp({ engine: { test: () => Promise.reject(thrown) } });
    const response = await test.call("POST", "/test", { organization_id, ...target });
    assert.equal(response.status, 200);
    const text = await response.text();
    const { message, ...rest } = JSON.parse(text);
    assert.deepEqual(rest, { ok: false, ...expected });
    assert.match(message, /^[A-Z].+\.$/);
    assert.doesNotMatch(text + JSON.stringify(test.lines), /canary/);
  }
});

Deno.test("what cannot be reached has one shape, without a figure", async () => {
  for (const code of ["dns_failed", "blocked_address", "refused", "timeout"] as const) {
    const test = createTestApp({ engine: { test: () => Promise.reject(new ConnectionFailure(code)) } });
    const response = await test.call("POST", "/test", { organization_id, ...target });
    assert.deepEqual(Object.keys(await response.json()), ["ok", "code", "message"]);
  }
});

Deno.test("introspection: a summary, kept where there is a store", async () => {
  const engine = { introspect: () => Promise.resolve(fakeSnapshot) };
  for (const saves of [true, false]) {
    const test = createTestApp({ engine, saves });
    const { id } = await add(test);
    const answer = await (await test.call("POST", `/${id}/introspect`)).json() as IntrospectionResult;
    assert.deepEqual(answer, {
      ok: true,
      server: fakeSnapshot.server,
      database: "shop",
      content_hash: fakeSnapshot.content_hash,
      schemas: 1,
      tables: 1,
      views: 0,
      columns: 1,
      truncated: false,
      snapshot_id: saves ? "s1" : null,
      changes: saves ? 0 : null,
    });
    assert.deepEqual(test.saved, saves ? [[organization_id, id, fakeSnapshot]] : []);
  }
  const test = createTestApp({
    engine: { introspect: () => Promise.reject(new ConnectionFailure("permission_denied")) },
  });
  const { id } = await add(test);
  const failed = await (await test.call("POST", `/${id}/introspect`)).json() as IntrospectionResult;
  assert.deepEqual([failed.ok, !failed.ok && failed.code], [false, "permission_denied"]);
});

Deno.test("400: what is not valid is named, and not quoted", async () => {
  const { call, lines, memory } = createTestApp();
  const wrong: [string, object][] = [
    ["host", { host: "127.1" }],
    ["host", { host: "db.example.com:5432" }],
    ["port", { port: 0 }],
    ["port", { port: "5432" }],
    ["engine", { engine: "oracle" }],
    ["tls_mode", { tls_mode: "strict" }],
    ["tls_mode", { tls_mode: "trust" }],
    ["username", { username: "a\0b" }],
    ["username", { username: "a\u0085b" }],
    ["database_name", { database_name: "x".repeat(129) }],
    ["password", { password: "" }],
    ["password", { password: `${canary}\ud800` }],
    ["password", { password: "x".repeat(1025) }],
    ["ca_certificate", { ca_certificate: "/etc/passwd" }],
    ["ca_certificate", {
      ca_certificate: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
    }],
    // What the database would refuse: of no certificate, and of more bytes than characters.
    ["ca_certificate", { ca_certificate: "-----BEGIN CERTIFICATE-----PRIVATE KEY-----END CERTIFICATE-----" }],
    ["ca_certificate", { ca_certificate: "-----BEGIN CERTIFICATE-----\u2003-----END CERTIFICATE-----" }],
    ["options", { options: { hostaddr: "127.0.0.1" } }],
    ["options", { options: [] }],
    ["organization_id", { organization_id: "1" }],
    ["", { sslrootcert: "/etc/passwd" }],
  ];
  for (const [where, change] of wrong) {
    const { error } = await refused(
      call("POST", "/test", { organization_id, ...target, ...change }),
      "validation_failed",
    );
    const issues = error.details?.["issues"] as { path: string[] }[];
    assert.equal(issues[0]?.path[0] ?? "", where, JSON.stringify(issues));
    assert.doesNotMatch(JSON.stringify(error), /canary/);
  }
  await refused(call("POST", "", `{"password": "${canary}`), "malformed_body");
  await refused(call("PATCH", `/${crypto.randomUUID()}`, { revision: 2 ** 31 }), "validation_failed");
  await refused(call("GET", "?organization_id=1"), "validation_failed");
  await refused(call("GET", "/1"), "validation_failed");
  assert.equal(memory.rows.size, 0);
  assert.doesNotMatch(JSON.stringify(lines), /canary/);
});

Deno.test("400: without a look at the certificate only where the operator allows it, stored or not", async () => {
  for (const tls_mode of ["disable", "require", "verify-ca"]) {
    const closed = createTestApp();
    await refused(closed.call("POST", "", { ...input, tls_mode }), "tls_mode_not_allowed");
    await refused(
      closed.call("POST", "/test", { organization_id, ...target, tls_mode }),
      "tls_mode_not_allowed",
    );
    const { id } = await add(closed);
    await refused(
      closed.call("PATCH", `/${id}`, { tls_mode, password: canary }),
      "tls_mode_not_allowed",
    );

    const open = createTestApp({ unverifiedTls: true });
    const kept = await add(open, { tls_mode });
    const later = createTestApp({ backend: open.memory });
    await refused(later.call("POST", `/${kept.id}/test`), "tls_mode_not_allowed");
  }
  // An authority of its own does not give everybody a certificate.
  const test = createTestApp();
  const ca_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
  const { id } = await add(test, { tls_mode: "verify-ca", ca_certificate });
  await refused(
    test.call("PATCH", `/${id}`, { ca_certificate: null, password: canary }),
    "tls_mode_not_allowed",
  );
});

Deno.test("401, 403, 404, 409, 402, 429, 503: what the database says, said on", async () => {
  const { app, call } = createTestApp();
  const body = JSON.stringify(input);
  const headers = { "content-type": "application/json" };
  await refused(
    Promise.resolve(app.request("/connections", { method: "POST", body, headers })),
    "missing_credentials",
  );
  for (const path of ["/test", `/${crypto.randomUUID()}/test`, `/${crypto.randomUUID()}/introspect`]) {
    await refused(
      Promise.resolve(app.request(`/connections${path}`, { method: "POST", body, headers })),
      "missing_credentials",
    );
  }
  await refused(call("POST", "", input, { authorization: "Bearer x.y.z" }), "invalid_token");

  for (
    const code of [
      "not_permitted",
      "limit_reached",
      "connection_name_taken",
      "invalid_connection_name",
      "unknown_application",
      "database_unavailable",
    ] as const
  ) {
    const test = createTestApp({ backend: { create: () => Promise.reject(new AppError(code)) } });
    await refused(test.call("POST", "", input), code);
  }
  const notManager = createTestApp({
    backend: { requireManager: () => Promise.reject(new AppError("not_permitted")) },
  });
  await refused(notManager.call("POST", "", input), "not_permitted");
  assert.equal(await notManager.memory.dataKey(organization_id), undefined, "no key before permission");
});

Deno.test("429: no test, and when to try again", async () => {
  let tested = 0;
  const busy = new AppError("too_many_tests", { headers: { "retry-after": "17" } });
  const test = createTestApp({
    engine: { test: () => Promise.resolve(void tested++ as never) },
    backend: { takeTest: () => Promise.reject(busy) },
  });
  const { id } = await add(test);
  for (const [path, body] of [["/test", { organization_id, ...target }], [`/${id}/test`]] as const) {
    const { headers } = await refused(test.call("POST", path, body), "too_many_tests");
    assert.equal(headers.get("retry-after"), "17");
  }
  assert.equal(tested, 0);
});

Deno.test("503, 500: without its key a password is not guessed at", async () => {
  const none = createTestApp({ masterKeys: undefined });
  await refused(none.call("POST", "", input), "master_key_missing");

  const test = createTestApp();
  const { id } = await add(test);
  const other = createTestApp({ backend: test.memory, masterKeys: masterKey(2) });
  await refused(other.call("POST", `/${id}/test`), "master_key_missing");
  const wrong = createTestApp({
    backend: test.memory,
    masterKeys: `k1:${btoa(String.fromCharCode(9).repeat(32))}`,
  });
  await refused(wrong.call("POST", `/${id}/test`), "secret_unreadable");
  assert.doesNotMatch(JSON.stringify([...other.lines, ...wrong.lines]), /canary/);
});

Deno.test("elsewhere: the request goes there with its caller's credentials, and its answer comes back", async () => {
  const seen: Request[] = [];
  let testedHere = 0;
  const answer = Response.json({ ok: false, code: "refused", message: "…" });
  const near = createTestApp({
    testsElsewhere: "https://tester.example.com/connections/",
    fetch: (url, init) => {
      seen.push(new Request(url, init));
      return Promise.resolve(answer.clone());
    },
    engine: { test: () => Promise.resolve(void testedHere++).then(() => found) },
  });
  const { id } = await add(near);
  for (const [path, body] of [["/test", { organization_id, ...target }], [`/${id}/test`]] as const) {
    const response = await near.call("POST", path, body, { cookie: "private", "x-request-id": "req-12345" });
    assert.deepEqual([response.status, await response.json()], [200, await answer.clone().json()]);
    assert.equal(response.headers.get("x-request-id"), "req-12345");
    const request = seen.pop();
    assert.equal(request?.url, `https://tester.example.com/connections${path}`);
    assert.equal(request?.headers.get("authorization"), `Bearer ${token}`);
    assert.equal(request?.headers.get("x-request-id"), "req-12345");
    assert.equal(request?.headers.get("cookie"), null);
    assert.deepEqual(await request?.text(), body ? JSON.stringify(body) : "");
  }
  // Nor is anything but the function's own path asked for there.
  for (const path of ["/..%2f..%2fother/test", `/${id}%2f..%2fother/test`, "/other/introspect"]) {
    await refused(near.call("POST", path), "validation_failed");
  }
  assert.deepEqual([testedHere, seen.length], [0, 0]);
  // The host over there may be set up the same, and does not send it on.
  const here = await near.call("POST", "/test", { organization_id, ...target }, {
    "x-nectar-forwarded": "1",
  });
  assert.deepEqual([here.status, testedHere, seen.length], [200, 1, 0]);
});

Deno.test("503: nobody there, or something else than the function", async () => {
  for (
    const answer of [
      () => Promise.reject(new TypeError(`connect to ${canary}`)),
      () => Promise.resolve(new Response("<h1>Bad gateway</h1>", { status: 502 })),
    ]
  ) {
    const test = createTestApp({ testsElsewhere: "https://tester.example.com", fetch: answer });
    const { error } = await refused(
      test.call("POST", "/test", { organization_id, ...target }),
      "tester_unavailable",
    );
    assert.doesNotMatch(JSON.stringify(error), /canary/);
  }
  const test = createTestApp({ testsElsewhere: "https://tester.example.com" });
  await refused(
    Promise.resolve(test.app.request("/connections/test", { method: "POST" })),
    "missing_credentials",
  );
});

Deno.test("rotation is for servers, batch by batch", async () => {
  const box = createSecretBox(() => masterKey(1));
  const wrapped = await Promise.all(
    Array.from({ length: 3 }, () => box.newDataKey(crypto.randomUUID())),
  );
  const lost = await createSecretBox(() => masterKey(3)).newDataKey(crypto.randomUUID());
  const all = [...wrapped, lost].sort((a, b) => a.organizationId < b.organizationId ? -1 : 1);
  const written: string[] = [];
  const keyRing: KeyRing = {
    toRewrap: (current, after, limit) =>
      Promise.resolve(
        all.filter(({ masterKeyId, organizationId }) =>
          masterKeyId !== current && (!after || organizationId > after)
        ).slice(0, limit),
      ),
    rewrapped(batch) {
      written.push(...batch.map(({ masterKeyId }) => masterKeyId));
      return Promise.resolve(batch.length);
    },
  };
  const test = createTestApp({ masterKeys: `${masterKey(2)},${masterKey(1)}`, keyRing });
  const apikey = { apikey: secretKey };
  let after: string | undefined;
  let unreadable = 0;
  for (let calls = 0; calls < 10; calls++) {
    const response = await test.call("POST", "/keys/rotate", { limit: 2, ...(after && { after }) }, apikey);
    const batch = await response.json() as { master_key: string; unreadable: number; next: string | null };
    assert.equal(batch.master_key, "k2");
    unreadable += batch.unreadable;
    if (!batch.next) break;
    after = batch.next;
  }
  assert.deepEqual([written, unreadable], [["k2", "k2", "k2"], 1]);
  assert.equal((await test.call("POST", "/keys/rotate", {})).status, 401);
});
