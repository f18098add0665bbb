import assert from "node:assert/strict";
import { hashApiKey, isApiKey } from "./api-key-format.ts";

// Made by private.new_api_key.
const made = [
  "nk_live_DY3FvuGGnLwV4rCvwkurc31SFpCO02nimXsYoFVI33e1OgUGi",
  "nk_live_XakTBZ9NhYBpkY2yyuDbXnhyYN2Bqh7J4kTUXPent7Z1kPAnf",
];

Deno.test("what the database makes is a key", () => {
  for (const key of made) assert.equal(isApiKey(key), true, key);
});

Deno.test("a typo, in any place, is not", () => {
  for (const key of made) {
    for (let place = 0; place < key.length; place++) {
      for (const letter of ["0", "z", "-", ""]) {
        const typo = key.slice(0, place) + letter + key.slice(place + 1);
        if (typo !== key) assert.equal(isApiKey(typo), false, typo);
      }
    }
    assert.equal(isApiKey(key.replace("live", "test")), false);
    assert.equal(isApiKey(`${key}\n`), false);
    assert.equal(isApiKey(` ${key}`), false);
  }
  assert.equal(isApiKey(""), false);
});

Deno.test("the hash is SHA-256 of the text", async () => {
  const hash = await hashApiKey("abc");
  assert.equal(
    hash.reduce((text, byte) => text + byte.toString(16).padStart(2, "0"), ""),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
});
