// Needs a MongoDB behind the project: without one every call answers 503, and this fails.
import { beforeAll, describe, expect, inject, test } from "vitest";
import { createNectarClient, type WorkflowInput } from "../../src/client/index.ts";
import { join } from "../support/invitations.ts";
import { must, type Person, signUp, uniqueSlug } from "../support/people.ts";

const project = inject("project");
const { functions: server } = createNectarClient(project);

const workflow = (slug: string, path = `/${slug}/{id}`): WorkflowInput => ({
  name: `Workflow ${slug}`,
  slug,
  definition: {
    format: "nectar.workflow/1",
    trigger: { type: "http", method: "GET", path },
    parameters: [{ name: "id", type: "integer", in: "path" }],
    start: "ok",
    steps: [{ id: "ok", type: "respond", status: 200, body: { parameter: "id" } }],
    edges: [],
  },
});

describe("the life of a workflow", () => {
  let ada: Person;
  let grace: Person;
  let eve: Person;
  const slug = uniqueSlug("engines");
  let organization: string;
  let id: string;

  beforeAll(async () => {
    const people = await Promise.all(["Ada", "Grace", "Eve"].map((name) => signUp(project, name)));
    [ada, grace, eve] = people as [Person, Person, Person];
    organization = must(await ada.organizations.create({ name: "Engines", slug })).id;
    await join(ada, organization, grace, "viewer");
    must(await eve.organizations.create({ name: "Elsewhere", slug: uniqueSlug("elsewhere") }));
  });

  const live = (route: string, version: number | "latest" = "latest", of = slug) =>
    server.GET("/workflows/published/{organization}/{version}", {
      params: { path: { organization: of, version }, query: { route } },
      headers: { apikey: project.secretKey },
    });

  test("it is made, changed by who read it, and published", async () => {
    const made = must(await ada.workflows.create(organization, workflow("orders")));
    id = made.id;
    const stale = { etag: made.etag };
    const changed = must(await ada.workflows.patch(organization, id, { description: "of a day" }, stale));
    expect((await ada.workflows.patch(organization, id, { description: "lost" }, stale)).error).toMatchObject(
      {
        code: "stale_revision",
        status: 412,
      },
    );
    expect((await live("orders")).error?.code).toBe("workflow_not_found");
    const { version } = must(
      await ada.workflows.publish(organization, id, { etag: changed.etag, note: "first" }),
    );
    expect(version).toMatchObject({
      number: 1,
      note: "first",
      published_by: ada.id,
      route: "GET /orders/{}",
    });
    const { data } = await live("GET /orders/7");
    expect(data).toMatchObject({ version: 1, definition: changed.definition });
  });

  test("roles decide, as they are at this moment", async () => {
    expect(must(await grace.workflows.get(organization, id)).name).toBe("Workflow orders");
    expect((await grace.workflows.create(organization, workflow("hers"))).error?.code).toBe("not_permitted");
    expect((await grace.workflows.archive(organization, id)).error?.code).toBe("not_permitted");
    must(await ada.organizations.changeRole(organization, grace.id, "developer"));
    const edited = must(
      await grace.workflows.edit(organization, id, ({ name }) => ({ name: `${name} by Grace` })),
    );
    expect(edited.name).toBe("Workflow orders by Grace");
    must(await ada.organizations.removeMember(organization, grace.id));
    expect((await grace.workflows.get(organization, id)).error?.code).toBe("not_permitted");
  });

  test("another tenant finds nothing, and is refused", async () => {
    for (const attempt of [
      eve.workflows.get(organization, id),
      eve.workflows.patch(organization, id, { name: "Mine" }, { etag: '"r1.v1"' }),
      eve.workflows.delete(organization, id),
    ]) {
      expect((await attempt).error).toMatchObject({ code: "not_permitted", status: 403 });
    }
    const [hers] = must(await eve.supabase.from("organizations").select("id"));
    expect((await eve.workflows.get(hers?.id ?? "", id)).error?.code).toBe("workflow_not_found");
    const pages = [];
    for await (const { data } of eve.workflows.list(hers?.id ?? "")) pages.push(data);
    expect(pages).toEqual([]);
  });

  test("what it refers to must be the organization's", async () => {
    const { error } = await ada.workflows.create(organization, {
      ...workflow("foreign"),
      application_id: id,
    });
    expect(error).toMatchObject({ code: "unknown_application", status: 400 });
    const [application] = must(
      await ada.supabase
        .from("applications")
        .insert({ organization_id: organization, name: "Shop", slug: "shop" })
        .select("id"),
    );
    const own = { ...workflow("own"), application_id: application?.id ?? "" };
    expect(must(await ada.workflows.create(organization, own)).application_id).toBe(application?.id);
  });

  test("the plan's limit holds", async () => {
    // The free plan has 10, and there are two.
    const attempts = await Promise.all(
      Array.from({ length: 12 }, (_, n) => ada.workflows.create(organization, workflow(`more-${n}`))),
    );
    expect(attempts.filter(({ data }) => data)).toHaveLength(8);
    expect(new Set(attempts.flatMap(({ error }) => error?.code ?? []))).toEqual(new Set(["limit_reached"]));
    const seen: string[] = [];
    for await (const { data } of ada.workflows.list(organization, { pageSize: 4 })) {
      seen.push(...(data ?? []).map((found) => found.slug));
    }
    expect(new Set(seen).size).toBe(10);
  });

  test("a closed organization answers nothing", async () => {
    must(await ada.organizations.close(organization));
    expect((await ada.workflows.get(organization, id)).error?.code).toBe("not_permitted");
    expect((await live("orders")).error?.code).toBe("organization_not_found");
  });
});
