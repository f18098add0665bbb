import assert from "node:assert/strict";
import { readVariable } from "./env.ts";

Deno.test("reads what the platform gives", () => {
  const environment = {
    SUPABASE_URL: "https://example.supabase.co",
    SUPABASE_SECRET_KEYS: '{"default":"sb_secret_1"}',
    SUPABASE_DB_URL: "postgresql://postgres@localhost/postgres",
  };
  assert.equal(readVariable("SUPABASE_URL", environment), environment.SUPABASE_URL);
  assert.deepEqual(readVariable("SUPABASE_SECRET_KEYS", environment), { default: "sb_secret_1" });
  assert.equal(readVariable("SUPABASE_DB_URL", environment), environment.SUPABASE_DB_URL);
});

Deno.test("lists are separated by commas", () => {
  const environment = {
    CONNECTIONS_ALLOWED_NETWORKS: "10.1.0.0/16, fd12::/48,",
    CONNECTIONS_ALLOWED_PORTS: "443",
  };
  assert.deepEqual(readVariable("CONNECTIONS_ALLOWED_NETWORKS", environment), ["10.1.0.0/16", "fd12::/48"]);
  assert.deepEqual(readVariable("CONNECTIONS_ALLOWED_PORTS", environment), [443]);
});

Deno.test("what is optional may be missing or empty", () => {
  assert.equal(readVariable("MONGODB_URI", {}), undefined);
  assert.equal(readVariable("MONGODB_URI", { MONGODB_URI: "" }), undefined);
});

Deno.test("a missing variable is named", () => {
  assert.throws(() => readVariable("SUPABASE_URL", {}), /^Error: SUPABASE_URL is missing/);
  assert.throws(
    () => readVariable("SUPABASE_SECRET_KEYS", { SUPABASE_SECRET_KEYS: "" }),
    /SECRET_KEYS is missing/,
  );
});

Deno.test("a malformed variable is named, and its value is not shown", () => {
  const malformed = {
    SUPABASE_URL: "hunter2",
    SUPABASE_DB_URL: "hunter2",
    MONGODB_URI: "http://hunter2",
    APP_URL: "javascript:hunter2",
    SMTP_URL: "http://hunter2",
    MAIL_FROM: "hunter2",
    CONNECTIONS_ALLOWED_PORTS: "443,hunter2",
    CONNECTIONS_UNVERIFIED_TLS: "hunter2",
    CONNECTIONS_URL: "http://hunter2.example.com",
    NECTAR_CONSOLE_MAIL: "hunter2",
    SUPABASE_PUBLISHABLE_KEYS: "hunter2",
    SUPABASE_SECRET_KEYS: '{"default":["hunter2"]}',
  };
  for (const name of Object.keys(malformed) as (keyof typeof malformed)[]) {
    assert.throws(() => readVariable(name, malformed), (error: Error) => {
      assert.match(error.message, new RegExp(`^${name} is not valid: `));
      assert.ok(!error.message.includes("hunter2"));
      return true;
    });
  }
});

Deno.test("links in mails lead to https, or to this machine", () => {
  for (const url of ["https://app.example.com", "http://127.0.0.1:3000", "http://localhost:3000/app"]) {
    assert.equal(readVariable("APP_URL", { APP_URL: url }), url);
  }
  for (
    const url of [
      "http://app.example.com",
      "https://user:pass@app.example.com",
      "http://localhost.example.com",
      "ftp://x",
    ]
  ) {
    assert.throws(() => readVariable("APP_URL", { APP_URL: url }), /^Error: APP_URL is not valid/);
  }
});

Deno.test("of the signing secrets there may be two; Stripe is elsewhere on this machine alone", () => {
  const secrets = (text: string) => readVariable("STRIPE_WEBHOOK_SECRETS", { STRIPE_WEBHOOK_SECRETS: text });
  assert.deepEqual(secrets("whsec_a1"), ["whsec_a1"]);
  assert.deepEqual(secrets("whsec_new, whsec_old"), ["whsec_new", "whsec_old"]);
  assert.equal(secrets(""), undefined);
  for (const text of ["hunter2", "whsec_a,", "whsec_a;whsec_b", "sk_test_a"]) {
    assert.throws(() => secrets(text), /^Error: STRIPE_WEBHOOK_SECRETS is not valid/);
  }
  const stripe = (url: string) => readVariable("STRIPE_API_URL", { STRIPE_API_URL: url });
  assert.equal(stripe("http://127.0.0.1:54340"), "http://127.0.0.1:54340");
  for (const url of ["https://api.stripe.com", "http://stripe.example.com", "http://localhost.example.com"]) {
    assert.throws(() => stripe(url), /^Error: STRIPE_API_URL is not valid/);
  }
});
