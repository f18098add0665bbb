import { expect, test } from "vitest";
import { createNectarClient } from "./index.ts";
import { createFakeFetch } from "./testing.ts";

const organization = "0b9f2f9e-6a3c-4b69-9d4b-6f2f8f0f6a11";
const id = "1b9f2f9e-6a3c-4b69-9d4b-6f2f8f0f6a11";

function connect(answers: Parameters<typeof createFakeFetch>[0]) {
  const fake = createFakeFetch(answers);
  const options = { fetch: fake.fetch, auth: { persistSession: false, autoRefreshToken: false } };
  const settings = { url: "http://nectar.test", publishableKey: "sb_publishable_1", options };
  return { ...fake, ...createNectarClient(settings) };
}

test("a file is sent as it is, with its name and type, and read as a stream", async () => {
  const path = `/functions/v1/artifacts/${organization}`;
  const { artifacts, requests } = connect({
    [path]: () => Response.json({ id }, { status: 201 }),
    [`${path}/${id}/content`]: () => new Response("content", { headers: { "content-type": "text/csv" } }),
  });
  const blob = new Blob(["a,b"], { type: "text/csv" });
  const made = await artifacts.upload(organization, blob, { name: "a b.csv", kind: "export" });
  expect(made.data).toEqual({ id });
  const [sent] = requests;
  expect(sent?.headers.get("content-type")).toBe("text/csv");
  expect(new URL(sent?.url ?? "").search).toBe("?name=a%20b.csv&kind=export");
  expect(await sent?.text()).toBe("a,b");
  const { data } = await artifacts.download(organization, id);
  expect(data).toBeInstanceOf(ReadableStream);
  expect(await new Response(data as unknown as ReadableStream).text()).toBe("content");
});

test("a stream is sent as a stream", async () => {
  const path = `/functions/v1/artifacts/${organization}`;
  const { artifacts, requests } = connect({ [path]: () => Response.json({ id }, { status: 201 }) });
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  void writer.write(new TextEncoder().encode("piece")).then(() => writer.close());
  const { error } = await artifacts.upload(organization, readable, { name: "x" });
  expect(error).toBeNull();
  expect(await requests[0]?.text()).toBe("piece");
});

test("activity comes page by page, until one fails", async () => {
  let page = 0;
  const { activity, requests } = connect({
    [`/functions/v1/activity/${organization}`]: () =>
      ++page < 3
        ? Response.json({ entries: [{ id: `${page}` }], next_cursor: `c${page}` })
        : Response.json(
            { error: { code: "not_permitted", message: "No.", request_id: "r" } },
            { status: 403 },
          ),
  });
  const seen: unknown[] = [];
  for await (const { data, error } of activity.list(organization, {
    actorId: "ada",
    from: new Date("2026-11-01T00:00:00Z"),
  })) {
    seen.push(error?.code ?? data?.map((entry) => entry.id));
  }
  expect(seen).toEqual([["1"], ["2"], "not_permitted"]);
  expect(requests.map(({ url }) => new URL(url).searchParams.get("cursor"))).toEqual([null, "c1", "c2"]);
  expect(new URL(requests[0]?.url ?? "").searchParams.get("from")).toBe("2026-11-01T00:00:00.000Z");
});

test("a table is named in the query, whatever it is called", async () => {
  const path = `/functions/v1/schema/${organization}/${id}`;
  const { schema, requests } = connect({ [`${path}/table`]: () => Response.json({ annotations: [] }) });
  await schema.table(organization, id, { schema: "dbo", table: "a/b & c" });
  expect(new URL(requests[0]?.url ?? "").searchParams.get("table")).toBe("a/b & c");
});
