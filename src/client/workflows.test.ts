import { expect, test } from "vitest";
import { createNectarClient, type WorkflowInput } from "./index.ts";
import { createFakeFetch } from "./testing.ts";

const url = "http://nectar.test";
const organization = "0b9f2f9e-6a3c-4b69-9d4b-6f2f8f0f6a11";
const id = "1b9f2f9e-6a3c-4b69-9d4b-6f2f8f0f6a11";
const one = `/functions/v1/workflows/${organization}/${id}`;

function connect(answers: Parameters<typeof createFakeFetch>[0]) {
  const fake = createFakeFetch(answers);
  const options = { fetch: fake.fetch, auth: { persistSession: false, autoRefreshToken: false } };
  const { workflows } = createNectarClient({ url, publishableKey: "sb_publishable_1", options });
  return { ...fake, workflows };
}

const answer = (revision: number, status = 200) =>
  Response.json({ id, name: "Orders" }, { status, headers: { etag: `"r${revision}.v0"` } });
const refuse = (status: number, code: string) =>
  Response.json({ error: { code, message: "No.", request_id: "r" } }, { status });
const workflow: WorkflowInput = {
  name: "Orders",
  slug: "orders",
  definition: {
    format: "nectar.workflow/1",
    trigger: { type: "http", method: "GET", path: "/" },
    start: "ok",
    steps: [{ id: "ok", type: "respond", status: 200 }],
    edges: [],
  },
};

test("what is read has its etag, and a change is made on it", async () => {
  const { workflows, requests } = connect({ [one]: () => answer(7) });
  const read = await workflows.get(organization, id);
  expect(read.data).toMatchObject({ id, etag: '"r7.v0"' });
  await workflows.replace(organization, id, workflow, { etag: read.data?.etag ?? "" });
  await workflows.patch(organization, id, { name: "New" }, { etag: '"r8.v0"' });
  expect(requests.map(({ method, headers }) => [method, headers.get("if-match")])).toEqual([
    ["GET", null],
    ["PUT", '"r7.v0"'],
    ["PATCH", '"r8.v0"'],
  ]);
  expect(requests[2]?.headers.get("content-type")).toBe("application/merge-patch+json");
  expect(await requests[1]?.json()).toEqual(workflow);
});

test("an edit is repeated on what somebody else wrote, and gives up in the end", async () => {
  let revision = 1;
  let stale = 2;
  const { workflows, at } = connect({
    [one]: ({ method, headers }) => {
      if (method === "GET") return answer(revision);
      if (stale-- > 0) {
        revision++;
        return refuse(412, "stale_revision");
      }
      return headers.get("if-match") === `"r${revision}.v0"`
        ? answer(++revision)
        : refuse(412, "stale_revision");
    },
  });
  const seen: string[] = [];
  const edited = await workflows.edit(organization, id, ({ name }) => {
    seen.push(name);
    return { name: "New" };
  });
  expect(edited.data?.etag).toBe('"r4.v0"');
  expect(seen).toHaveLength(3);
  expect(at(one)).toHaveLength(6);

  stale = 99;
  const given = await workflows.edit(organization, id, () => ({ name: "New" }), { attempts: 2 });
  expect(given.error?.code).toBe("stale_revision");
  expect((await workflows.edit(organization, id, () => undefined)).data?.etag).toBeTruthy();
});

test("pages follow their cursors, and end with the first error", async () => {
  const asked: (string | null)[] = [];
  let broken = false;
  const { workflows } = connect({
    [`/functions/v1/workflows/${organization}`]: (request) => {
      const { searchParams } = new URL(request.url);
      asked.push(searchParams.get("cursor"));
      expect(searchParams.get("search")).toBe("order");
      if (broken) return refuse(503, "mongodb_unavailable");
      const last = asked.length === 2;
      return Response.json({ workflows: [{ id: String(asked.length) }], next_cursor: last ? null : "next" });
    },
  });
  const seen: (string | undefined)[] = [];
  for await (const { data } of workflows.list(organization, { search: "order", pageSize: 1 })) {
    seen.push(...(data ?? []).map(({ id }) => id));
  }
  expect([seen, asked]).toEqual([
    ["1", "2"],
    [null, "next"],
  ]);
  broken = true;
  const codes: unknown[] = [];
  for await (const { error } of workflows.list(organization, { search: "order" })) codes.push(error?.code);
  expect(codes).toEqual(["mongodb_unavailable"]);
});

test("a deleted workflow leaves no answer, and no error", async () => {
  const { workflows } = connect({ [one]: () => new Response(null, { status: 204 }) });
  expect((await workflows.delete(organization, id)).error).toBeNull();
});
