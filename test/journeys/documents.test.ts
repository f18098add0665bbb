// Needs a MongoDB behind the project: without one every call answers 503, and this fails.
import { createHash, randomBytes } from "node:crypto";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { join } from "../support/invitations.ts";
import { must, type Person, signUp, uniqueSlug } from "../support/people.ts";

const project = inject("project");

describe("what is kept beside workflows", () => {
  let ada: Person;
  let grace: Person;
  let eve: Person;
  let organization: string;

  beforeAll(async () => {
    const people = await Promise.all(["Ada", "Grace", "Eve"].map((name) => signUp(project, name)));
    [ada, grace, eve] = people as [Person, Person, Person];
    organization = must(await ada.organizations.create({ name: "Files", slug: uniqueSlug("files") })).id;
    await join(ada, organization, grace, "viewer");
  });

  test("a file goes in and comes out, also by a link, and is gone when it is deleted", async () => {
    const bytes = randomBytes(700_000);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const content = new Blob([bytes], { type: "application/zip" });
    const made = must(await ada.artifacts.upload(organization, content, { name: "sdk.zip", kind: "sdk" }));
    expect(made).toMatchObject({ bytes: 700_000, sha256, kind: "sdk", created_by: ada.id });
    const hashOf = async (body: unknown) =>
      createHash("sha256")
        .update(new Uint8Array(await new Response(body as ReadableStream).arrayBuffer()))
        .digest("hex");
    expect(await hashOf(must(await grace.artifacts.download(organization, made.id)))).toBe(sha256);
    const { url } = must(await grace.artifacts.link(organization, made.id));
    const linked = await fetch(url);
    expect(linked.headers.get("content-security-policy")).toContain("sandbox");
    expect(await hashOf(linked.body)).toBe(sha256);

    expect((await grace.artifacts.upload(organization, "x", { name: "hers" })).error?.code).toBe(
      "not_permitted",
    );
    expect((await grace.artifacts.delete(organization, made.id)).error?.code).toBe("not_permitted");
    expect((await eve.artifacts.get(organization, made.id)).error?.code).toBe("not_permitted");
    expect((await ada.artifacts.delete(organization, made.id)).error).toBeNull();
    expect((await fetch(url)).status).toBe(404);
  });

  test("who did what is told to members who may know it", async () => {
    const actions = async () => {
      for await (const { data } of grace.activity.list(organization, { actorId: ada.id })) {
        return data?.map(({ action }) => action) ?? [];
      }
      return [];
    };
    // It is written within a second or so: what it waits for is the batch.
    await expect.poll(actions, { timeout: 20_000 }).toEqual(["artifacts.delete", "artifacts.create"]);
    const { value: refused } = await eve.activity.list(organization).next();
    expect(refused?.error?.code).toBe("not_permitted");
  });

  test("the cache and the schemas begin empty, and are their organization's", async () => {
    expect(must(await ada.workflows.cacheStatistics(organization))).toMatchObject({ entries: 0, bytes: 0 });
    expect(must(await ada.workflows.purgeCache(organization, { all: true }))).toEqual({ removed: 0 });
    expect((await grace.workflows.purgeCache(organization, { all: true })).error?.code).toBe("not_permitted");
    expect(must(await grace.schema.search(organization, "customers")).tables).toEqual([]);
    expect((await eve.schema.search(organization, "customers")).error?.code).toBe("not_permitted");
  });
});
