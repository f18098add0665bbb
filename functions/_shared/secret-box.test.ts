import assert from "node:assert/strict";
import { createDecipheriv } from "node:crypto";
import { AppError } from "./errors.ts";
import { createSecretBox, parseMasterKeys, type Sealed } from "./secret-box.ts";

const bytes = (base64: string) => Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0));
const base64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes));
const filled = (byte: number) => new Uint8Array(32).fill(byte);
const first = `first:${base64(filled(1))}`;
const second = `second:${base64(filled(2))}`;
const organizationId = "0b9f2f9e-6a3c-4b69-9d4b-6f2f8f0f6a11";
const binding = { organizationId, connectionId: "6f2f8f0f-6a3c-4b69-9d4b-0b9f2f9e6a11", version: 3 };
const canary = "canary-pässword-🔑";

const codeOf = async (work: Promise<unknown>) => {
  try {
    return `opened: ${await work}`;
  } catch (error) {
    assert.ok(error instanceof AppError, String(error));
    assert.doesNotMatch(JSON.stringify([error.message, error.details ?? {}]), /canary/);
    return error.code;
  }
};
const flipped = (sealed: Sealed, part: keyof Sealed): Sealed => {
  const changed = bytes(sealed[part]);
  changed[0] = (changed[0] ?? 0) ^ 1;
  return { ...sealed, [part]: base64(changed) };
};

Deno.test("what is sealed opens again, and never looks the same", async () => {
  const box = createSecretBox(() => first);
  const key = await box.newDataKey(organizationId);
  for (const secret of [canary, "", "\ufeffmarked", "x".repeat(10_000)]) {
    const sealed = await box.seal(key, binding, secret);
    assert.equal(await box.open(key, binding, sealed), secret);
    assert.notDeepEqual(sealed, await box.seal(key, binding, secret));
    assert.equal(bytes(sealed.nonce).length, 12);
  }
  assert.doesNotMatch(JSON.stringify([key, await box.seal(key, binding, canary)]), /canary/);
});

Deno.test("in another organization, for another connection, in another version: unreadable", async () => {
  const box = createSecretBox(() => first);
  const key = await box.newDataKey(organizationId);
  const sealed = await box.seal(key, binding, canary);
  const stranger = crypto.randomUUID();
  for (
    const [to, under] of [
      [{ ...binding, organizationId: stranger }, key],
      // the row moved, and its key with it
      [{ ...binding, organizationId: stranger }, { ...key, organizationId: stranger }],
      // another tenant's key, with its own row
      [{ ...binding, organizationId: stranger }, await box.newDataKey(stranger)],
      [binding, await box.newDataKey(organizationId)],
      [{ ...binding, connectionId: crypto.randomUUID() }, key],
      [{ ...binding, version: 2 }, key],
      [{ ...binding, version: 4 }, key],
      [binding, { ...key, version: 2 }],
      [binding, { ...key, id: crypto.randomUUID() }],
    ] as const
  ) assert.equal(await codeOf(box.open(under, to, sealed)), "secret_unreadable");
});

Deno.test("one bit is enough: unreadable, never garbage", async () => {
  const box = createSecretBox(() => first);
  const key = await box.newDataKey(organizationId);
  const sealed = await box.seal(key, binding, canary);
  for (const part of ["ciphertext", "nonce"] as const) {
    assert.equal(await codeOf(box.open(key, binding, flipped(sealed, part))), "secret_unreadable");
    assert.equal(
      await codeOf(box.open({ ...key, ...flipped(key, part) }, binding, sealed)),
      "secret_unreadable",
    );
  }
  for (const ciphertext of ["", "AAAA", "!!!"]) {
    assert.equal(await codeOf(box.open(key, binding, { ...sealed, ciphertext })), "secret_unreadable");
  }
  assert.equal(await codeOf(box.open(key, binding, { ...sealed, nonce: "" })), "secret_unreadable");
});

Deno.test("a master key that is lost, wrong or not there says so", async () => {
  const key = await createSecretBox(() => first).newDataKey(organizationId);
  const sealed = await createSecretBox(() => first).seal(key, binding, canary);
  const wrong = `first:${base64(filled(9))}`;
  for (
    const [keys, code] of [
      [undefined, "master_key_missing"],
      ["", "master_key_missing"],
      [second, "master_key_missing"],
      ["first:short", "master_key_missing"],
      [wrong, "secret_unreadable"],
    ] as const
  ) assert.equal(await codeOf(createSecretBox(() => keys).open(key, binding, sealed)), code, keys);
});

Deno.test("rotation: both keys open, the first wraps, and then the old one can go", async () => {
  const old = createSecretBox(() => first);
  const key = await old.newDataKey(organizationId);
  const sealed = await old.seal(key, binding, canary);

  const both = createSecretBox(() => `${second},${first}`);
  assert.equal(await both.open(key, binding, sealed), canary);
  assert.equal(await both.currentMasterKeyId(), "second");
  const rewrapped = await both.rewrap(key);
  assert.deepEqual([rewrapped.masterKeyId, rewrapped.version, rewrapped.id], ["second", 2, key.id]);

  assert.equal(await createSecretBox(() => second).open(rewrapped, binding, sealed), canary);
  assert.equal(await codeOf(old.open(rewrapped, binding, sealed)), "master_key_missing");
  // an older wrapping that is put back under the new number
  assert.equal(await codeOf(both.open({ ...key, version: 2 }, binding, sealed)), "secret_unreadable");
});

Deno.test("the format: vectors that every later version must still open, and another implementation does", async () => {
  let next = 0;
  const counted = (count: number) => Uint8Array.from({ length: count }, () => next++ % 256);
  const box = createSecretBox(() => first, counted);
  const made = await box.newDataKey(organizationId);
  const context = (...parts: (string | number)[]) =>
    new TextEncoder().encode(["nectar/1", ...parts].join("\n"));
  const dataKey = openByNode(
    filled(1),
    made,
    context("data-key", organizationId, made.id, "first", 1),
  );
  assert.deepEqual([...dataKey], Array.from({ length: 32 }, (_, index) => index));

  const sealed = await box.seal(made, binding, "correct horse");
  const bound = context("connection-secret", organizationId, binding.connectionId, 3);
  assert.equal(new TextDecoder().decode(openByNode(dataKey, sealed, bound)), "correct horse");

  const anywhere = createSecretBox(() => first);
  assert.equal(await anywhere.open(vector.key, binding, vector.sealed), "correct horse");
});

const vector = {
  key: {
    organizationId,
    id: "11111111-2222-4333-8444-555555555555",
    masterKeyId: "first",
    version: 1,
    ciphertext: "jfLopwurt6YRkw47qs1pxbe4k8pwfhlOEzsppvoJTLJU0SElmFfMKLRJBCaIth/m",
    nonce: "BwcHBwcHBwcHBwcH",
  },
  sealed: { ciphertext: "SSyqpIjnQta4OCnr5T5aBj42uP1DsaICF/SeD4k=", nonce: "CAgICAgICAgICAgI" },
};

function openByNode(key: Uint8Array, { ciphertext, nonce }: Sealed, context: Uint8Array): Uint8Array {
  const sealed = bytes(ciphertext);
  const decipher = createDecipheriv("aes-256-gcm", key, bytes(nonce));
  decipher.setAAD(context);
  decipher.setAuthTag(sealed.subarray(-16));
  const opened = decipher.update(sealed.subarray(0, -16), undefined, "latin1") + decipher.final("latin1");
  return Uint8Array.from(opened, (byte) => byte.charCodeAt(0));
}

Deno.test("master keys are read strictly, and never quoted", async () => {
  assert.deepEqual([...(await parseMasterKeys(`${second}, ${first}`)).keys()], ["second", "first"]);
  for (
    const text of [
      "",
      "first",
      "first:",
      "first:c2hvcnQ=",
      `${first},${first}`,
      `${first},`,
      `fi rst:${first.slice(6)}`,
      first.slice(6),
      `${first}A`,
    ]
  ) {
    await assert.rejects(parseMasterKeys(text), (error: Error) => !error.message.includes("AQEBAQ"), text);
  }
});
