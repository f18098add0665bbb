import { expect, inject, test } from "vitest";
import { createNectarClient } from "../../src/client/index.ts";

const { url, publishableKey, secretKey } = inject("project");
const { functions } = createNectarClient({ url, publishableKey });

test("anybody learns that the backend lives, and nothing more", async () => {
  const { data, error } = await functions.GET("/health");
  expect(error).toBeNull();
  expect(data).toMatchObject({ status: "ok" });
  expect(data).not.toHaveProperty("dependencies");
});

test("a server learns how each dependency does", async () => {
  const { data, error } = await functions.GET("/health", { headers: { apikey: secretKey } });
  expect(error).toBeNull();
  const states = Object.fromEntries(
    (data && "dependencies" in data ? (data.dependencies ?? []) : []).map((it) => [it.name, it.status]),
  );
  expect(states).toMatchObject({ database: "ok", auth: "ok", rest: "ok" });
  expect(["ok", "absent"]).toContain(states["mongodb"]);
});

test("a wrong secret key is refused", async () => {
  const { data, error } = await functions.GET("/health", { headers: { apikey: "sb_secret_wrong" } });
  expect(data).toBeNull();
  expect(error).toMatchObject({ status: 401 });
});
