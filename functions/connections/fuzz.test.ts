import assert from "node:assert/strict";
import { Socket } from "node:net";
import process from "node:process";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { createAddressGuard } from "../_shared/address-guard.ts";
import { errorCodes } from "../_shared/errors.ts";
import { createSecretBox } from "../_shared/secret-box.ts";
import { createTestLog, createTestProject } from "../_shared/testing.ts";
import { createApp } from "./app.ts";
import { engines } from "./engines/engines.ts";
import { failureMessages } from "./failures.ts";
import { canary, memoryBackend, target } from "./testing.ts";
import { createTester } from "./tester.ts";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 10_000);
// At once, so that one's crypto runs beside another's parsing.
const TOGETHER = 20;
const organization_id = crypto.randomUUID();

const octet = fc.oneof(
  fc.integer({ min: 0, max: 300 }).map(String),
  fc.integer({ min: 0, max: 255 }).map((byte) => `0x${byte.toString(16)}`),
  fc.integer({ min: 0, max: 255 }).map((byte) => `0${byte.toString(8)}`),
);
const host = fc.oneof(
  fc.array(octet, { minLength: 1, maxLength: 5 }).map((octets) => octets.join(".")),
  fc.ipV4(),
  fc.ipV6(),
  fc.ipV6().map((text) => `[${text}]`),
  fc.ipV4Extended(),
  fc.nat().map(String),
  fc.domain(),
  fc.domain().map((text) => `${text}.`),
  fc.webAuthority({ withUserInfo: true, withPort: true }),
  fc.constantFrom(
    "localhost",
    "127.0.0.1",
    "::1",
    "::ffff:127.0.0.1",
    "0.0.0.0",
    "169.254.169.254",
    "metadata.google.internal",
    "rebind.example.com",
    "mixed.example.com",
    "internal.example.com",
    "db.example.com",
    "fd00:ec2::254",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "1.1.1.1",
    "2606:4700::1111",
    "db.example.com,127.0.0.1",
    "db\u0000.com",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "localhost%00.example.com",
    "db.example.com?host=127.0.0.1",
    "/var/run/postgresql",
    "\\\\pipe\\sql",
    "tcp:127.0.0.1",
    "(localdb)\\x",
    ".\\SQLEXPRESS",
  ),
  fc.string({ unit: "binary", maxLength: 300 }),
);
const anything = fc.anything({ withBigInt: false, withDate: false, maxDepth: 2 });
const port = fc.oneof(fc.integer({ min: -5, max: 70_000 }), fc.double(), fc.constant(null), anything);
const options = fc.oneof(
  fc.constant({}),
  fc.dictionary(
    fc.constantFrom(
      "host",
      "hostaddr",
      "server",
      "port",
      "path",
      "socketPath",
      "stream",
      "connector",
      "instance",
      "instanceName",
      "sslrootcert",
      "sslcert",
      "sslmode",
      "target_session_attrs",
      "servername",
      "flags",
      "infileStreamFactory",
      "ssl",
      "application_name",
      "application_intent",
      "search_path",
      "__proto__",
      "constructor",
      "options",
    ),
    fc.oneof(anything, fc.string(), host),
  ),
  anything,
);
const sane = { organization_id, ...target, port: 5432 };
/** A description in which some things are right, so that the rest is looked at. */
const description = fc.record({
  engine: fc.oneof(fc.constantFrom("mssql", "postgres", "mysql"), anything),
  host: fc.oneof({ weight: 4, arbitrary: host }, { weight: 1, arbitrary: anything }),
  port,
  database_name: fc.oneof(fc.constant("shop"), fc.string({ unit: "binary", maxLength: 200 }), anything),
  username: fc.oneof(fc.constant("reader"), fc.string({ unit: "binary", maxLength: 200 }), anything),
  password: fc.oneof(
    fc.constant(canary),
    fc.string({ unit: "binary" }).map((text) => `${canary}${text}`),
    fc.constant({ canary }),
  ),
  tls_mode: fc.oneof(
    fc.constantFrom("disable", "require", "verify-ca", "verify-full", "strict"),
    anything,
  ),
  ca_certificate: fc.oneof(fc.constant(null), fc.string(), fc.constant("/etc/passwd"), anything),
  options,
  organization_id: fc.oneof({ weight: 9, arbitrary: fc.constant(organization_id) }, {
    weight: 1,
    arbitrary: anything,
  }),
  extra: anything,
}, { requiredKeys: [] }).chain((record) =>
  fc.subarray(Object.keys(record), { maxLength: 2 }).map((kept) => ({
    ...sane,
    ...Object.fromEntries(kept.map((key) => [key, record[key as keyof typeof record]])),
  }))
);
const body = fc.oneof(
  { weight: 12, arbitrary: description.map((value) => JSON.stringify(value)) },
  {
    weight: 12,
    arbitrary: fc.tuple(host, port).map(([host, port]) => JSON.stringify({ ...sane, host, port })),
  },
  { weight: 12, arbitrary: host.map((host) => JSON.stringify({ ...sane, host })) },
  { weight: 2, arbitrary: fc.json() },
  { weight: 1, arbitrary: fc.string().map((text) => `{"password":"${canary}",${text}`) },
);
const path = fc.oneof(
  { weight: 6, arbitrary: fc.constant(["POST", "/test"]) },
  { weight: 2, arbitrary: fc.constant(["POST", ""]) },
  { weight: 1, arbitrary: fc.constant(["POST", "/keys/rotate"]) },
  { weight: 1, arbitrary: fc.uuid().map((id) => ["PATCH", `/${id}`]) },
  {
    weight: 1,
    arbitrary: fc.string({ maxLength: 20 }).map((text) => ["POST", `/${encodeURIComponent(text)}/test`]),
  },
);

Deno.test(`${RUNS} malformed hosts, ports, options and bodies: told so, dialled nowhere they must not be, secret kept`, async () => {
  const { keys, publishableKey, signToken } = await createTestProject();
  const headers = {
    authorization: `Bearer ${await signToken()}`,
    apikey: publishableKey,
    "content-type": "application/json",
  };
  const { log, lines } = createTestLog();
  const resolved: Record<string, string[]> = {
    "localhost": ["127.0.0.1", "::1"],
    "metadata.google.internal": ["169.254.169.254"],
    "mixed.example.com": ["8.8.8.8", "10.0.0.1"],
    "internal.example.com": ["192.168.0.10"],
    "db.example.com": ["8.8.8.8"],
  };
  let asked = 0;
  const dialled: string[] = [];
  const tester = createTester({
    engines,
    guard: () =>
      createAddressGuard({
        resolve: (name) => {
          if (name === "rebind.example.com") return Promise.resolve([asked++ % 2 ? "127.0.0.1" : "8.8.8.8"]);
          const found = resolved[name];
          return found ? Promise.resolve(found) : Promise.reject(new Error(`ENOTFOUND ${name}`));
        },
      }),
    connect: (address, port) => {
      dialled.push(`${address} ${port}`);
      const socket = new Socket();
      queueMicrotask(() => socket.destroy(Object.assign(new Error(canary), { code: "ECONNREFUSED" })));
      return socket;
    },
    // The time that a failure takes: the tests of the line are about it.
    sleep: () => turn().then(() => turn()),
    runtime: { tlsInsideTds: true },
    onUnknown: (engine, error) => log({ engine, error }),
  });
  const app = createApp({
    engines,
    tester,
    secretBox: createSecretBox(() => `k1:${btoa(String.fromCharCode(1).repeat(32))}`),
    unverifiedTls: () => true,
    connect: () => memoryBackend(),
    log,
    keys,
  });

  const seen: Record<string, number> = {};
  async function send(method: string, at: string, text: string) {
    const sent = at === "" ? text.replace("{", '{"name":"Fuzz",') : text;
    const response = await app.request(`/connections${at}`, { method, headers, body: sent });
    const told = await response.text();
    assert.ok(!told.includes(canary), "the password is in the answer");
    const answer = JSON.parse(told);
    const count = (what: string) => seen[what] = (seen[what] ?? 0) + 1;
    if (response.status === 200) {
      // Nobody answers at any address here.
      assert.equal(answer.ok, false);
      assert.ok(Object.hasOwn(failureMessages, answer.code), told);
      count(answer.code);
    } else if (response.status === 201) {
      count("added");
    } else {
      assert.ok(response.status >= 400 && response.status < 500, `${response.status} ${told} ${sent}`);
      assert.ok(Object.hasOwn(errorCodes, answer.error.code), told);
      count(answer.error.code);
    }
  }
  const requests = fc.array(fc.tuple(path, body), { minLength: TOGETHER, maxLength: TOGETHER });
  await fc.assert(
    fc.asyncProperty(requests, async (sent) => {
      await Promise.all(sent.map(([[method = "", at = ""], text]) => send(method, at, text)));
      assert.ok(!JSON.stringify(lines.splice(0)).includes(canary), "the password is in the log");
      for (const to of dialled.splice(0)) {
        const [address = "", port] = to.split(" ");
        assert.equal(ipaddr.parse(address).range(), "unicast", to);
        assert.ok(Number(port) >= 1024, to);
        seen["dialled"] = (seen["dialled"] ?? 0) + 1;
      }
    }),
    { numRuns: RUNS / TOGETHER },
  );
  // It was not all refused at the door.
  for (
    const what of [
      "blocked_address",
      "dns_failed",
      "refused",
      "validation_failed",
      "malformed_body",
      "dialled",
    ]
  ) {
    assert.ok((seen[what] ?? 0) >= RUNS / 500, `${what}: ${JSON.stringify(seen)}`);
  }
});
