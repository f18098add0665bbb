import { createClient } from "@supabase/supabase-js";
import { beforeEach, expect, inject, test } from "vitest";
import { sameMonth } from "../support/month.ts";
import { must, signUp, uniqueSlug } from "../support/people.ts";

const project = inject("project");
beforeEach(() => sameMonth());

test("a key is made, calls, is counted, rotated and revoked", async () => {
  const ada = await signUp(project, "Ada");
  const organization = must(
    await ada.supabase.rpc("create_organization", { p_name: "Acme", p_slug: uniqueSlug("acme") }),
  );
  const application = must(
    await ada.supabase
      .from("applications")
      .insert({ organization_id: organization.id, name: "Rocket", slug: "rocket" })
      .select()
      .single(),
  );
  const [made] = must(
    await ada.supabase.rpc("create_api_key", {
      p_application_id: application.id,
      p_name: "Server",
      p_scopes: ["applications.read"],
    }),
  );
  if (!made) throw new Error("no key was made");
  const ping = (key: string, headers: Record<string, string> = {}) =>
    fetch(`${project.url}/functions/v1/api/ping`, {
      headers: { authorization: `Bearer ${key}`, ...headers },
    });

  const answer = await ping(made.secret);
  expect(answer.status).toBe(200);
  expect(await answer.json()).toEqual({
    organization_id: organization.id,
    application_id: application.id,
    key_id: made.api_key_id,
    environment: "live",
  });
  expect(answer.headers.get("ratelimit")).toMatch(/^"burst";r=19, "month";r=9999;t=\d+$/);
  const again = await ping(made.secret, { "x-request-id": answer.headers.get("x-request-id") ?? "" });
  expect(again.headers.get("ratelimit")).toContain('"month";r=9998');

  const stranger = await ping(made.secret.slice(0, -1) + (made.secret.endsWith("0") ? "1" : "0"));
  expect([stranger.status, (await stranger.json()).error.code]).toEqual([401, "invalid_key"]);

  const [rotated] = must(await ada.supabase.rpc("rotate_api_key", { p_api_key_id: made.api_key_id }));
  for (const secret of [made.secret, rotated?.secret ?? ""]) expect((await ping(secret)).status).toBe(200);

  must(
    await ada.supabase.rpc("update_api_key", {
      p_api_key_id: made.api_key_id,
      p_allowed_cidrs: ["203.0.113.0/24"],
    }),
  );
  const elsewhere = await ping(made.secret, {
    "x-forwarded-for": "203.0.113.7",
    "cf-connecting-ip": "203.0.113.7",
  });
  expect([elsewhere.status, (await elsewhere.json()).error.code]).toEqual([403, "forbidden_ip"]);

  const { error } = await ada.supabase.rpc("revoke_api_key", { p_api_key_id: made.api_key_id });
  expect(error).toBeNull();
  for (const secret of [made.secret, rotated?.secret ?? ""]) {
    const dead = await ping(secret);
    expect([dead.status, (await dead.json()).error.code]).toEqual([401, "revoked"]);
  }

  const server = createClient(project.url, project.secretKey);
  must(await server.rpc("run_maintenance"));
  const [key] = must(await ada.supabase.from("api_keys").select("last_used_at, revoked_at"));
  expect(key?.last_used_at).not.toBeNull();
  expect(key?.revoked_at).not.toBeNull();
});
