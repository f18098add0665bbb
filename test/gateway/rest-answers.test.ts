import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { restFixture } from "./fixtures.ts";
import { adminClient, describeLocal, raw, signedInUser, useProject } from "./support.ts";

const project = useProject(restFixture);
const admin = () => adminClient(project);
const request = (method: string, target: string, headers: Record<string, string> = {}, body?: string) =>
  raw(project, `/rest/v1/${target}`, {
    method,
    headers: { apikey: project.secretKey, ...headers },
    ...(body === undefined ? {} : { body }),
  });

beforeEach(async () => {
  await project.sql`truncate public.contract_items, public.contract_groups restart identity`;
  await project.sql`insert into public.contract_items (label) select 'item ' || n from generate_series(1, 5) as n`;
});

describe("writing", () => {
  test("insert: 201, with nothing, the rows, or the place of the row", async () => {
    const nothing = await request("POST", "contract_items", {}, '{"label":"a"}');
    expect([nothing.status, nothing.text]).toEqual([201, ""]);
    const rows = await request(
      "POST",
      "contract_items",
      { prefer: "return=representation" },
      '{"label":"b"}',
    );
    expect([rows.status, rows.json[0].label]).toEqual([201, "b"]);
    expect(rows.headers.get("preference-applied")).toBe("return=representation");
    const place = await request("POST", "contract_items", { prefer: "return=headers-only" }, '{"label":"c"}');
    expect(place.headers.get("location")).toMatch(/^\/contract_items\?id=eq\.\d+$/);
  });

  test("update and delete: 204 without rows, 200 with them", async () => {
    const update = await request("PATCH", "contract_items?id=eq.1", {}, '{"label":"x"}');
    expect([update.status, update.text]).toEqual([204, ""]);
    const rows = await request(
      "PATCH",
      "contract_items?id=lt.3",
      { prefer: "return=representation" },
      '{"label":"y"}',
    );
    expect([rows.status, rows.json.length]).toEqual([200, 2]);
    expect((await request("DELETE", "contract_items?id=eq.1")).status).toBe(204);
    const gone = await request("DELETE", "contract_items?id=eq.2", { prefer: "return=representation" });
    expect([gone.status, gone.json[0].label]).toEqual([200, "y"]);
  });

  test("an update answers with its rows even when they no longer meet the filter", async () => {
    const { data } = await admin()
      .from("contract_items")
      .update({ label: "moved" })
      .eq("label", "item 1")
      .select("id, renamed:label, contract_groups(name)");
    expect(data).toEqual([{ id: 1, renamed: "moved", contract_groups: null }]);
  });

  test("single() refuses several rows and undoes the write", async () => {
    const { error, status } = await admin()
      .from("contract_items")
      .update({ label: "all" })
      .gt("id", 0)
      .select()
      .single();
    expect([status, error?.code, error?.details]).toEqual([406, "PGRST116", "The result contains 5 rows"]);
    expect(error?.message).toBe("Cannot coerce the result to a single JSON object");
    expect(await project.sql`select 1 from public.contract_items where label = 'all'`).toHaveLength(0);
  });

  test("upsert: 201 for a new row, 200 for known ones; ignoring duplicates", async () => {
    const upsert = (rows: object[], options = {}) =>
      admin().from("contract_items").upsert(rows, options).select("id,label");
    expect((await upsert([{ id: 1, label: "up" }])).status).toBe(200);
    const mixed = await upsert([
      { id: 1, label: "again" },
      { id: 70, label: "new" },
    ]);
    expect([mixed.status, mixed.data]).toEqual([
      201,
      [
        { id: 1, label: "again" },
        { id: 70, label: "new" },
      ],
    ]);
    expect((await upsert([{ id: 1, label: "no" }], { ignoreDuplicates: true })).data).toEqual([]);
  });

  test("upsert asks for the grant to update the key, as PostgREST's statement does", async () => {
    const { client } = await signedInUser(project);
    await client.from("contract_private").insert({ id: 1, note: "yes" });
    const { error } = await client.from("contract_private").upsert({ id: 1, note: "yes" });
    expect(error?.code).toBe("42501");
    await project.sql`delete from public.contract_private`;
  });

  test("the platform commits whatever tx says", async () => {
    const prefer = "return=representation,tx=rollback";
    const answer = await request("PATCH", "contract_items?id=eq.1", { prefer }, '{"label":"kept"}');
    expect(answer.headers.get("preference-applied")).toBe("return=representation");
    expect(await project.sql`select 1 from public.contract_items where label = 'kept'`).toHaveLength(1);
  });
});

describe("reading", () => {
  test("count and ranges", async () => {
    const page = await request("GET", "contract_items?select=id&order=id&limit=2", { prefer: "count=exact" });
    expect([page.status, page.headers.get("content-range")]).toEqual([206, "0-1/5"]);
    const all = await request("GET", "contract_items?select=id", { prefer: "count=exact" });
    expect([all.status, all.headers.get("content-range")]).toEqual([200, "0-4/5"]);
    const range = await request("GET", "contract_items?select=id&order=id", { range: "1-2" });
    expect([range.json, range.headers.get("content-range")]).toEqual([[{ id: 2 }, { id: 3 }], "1-2/*"]);
    const beyond = await request("GET", "contract_items?select=id&offset=100", { prefer: "count=exact" });
    expect([beyond.status, beyond.json]).toEqual([
      416,
      {
        code: "PGRST103",
        details: "An offset of 100 was requested, but there are only 5 rows.",
        hint: null,
        message: "Requested range not satisfiable",
      },
    ]);
    const head = await admin().from("contract_items").select("*", { count: "exact", head: true });
    expect([head.status, head.count, head.data]).toEqual([200, 5, null]);
  });

  test("what few rows are estimated to be is what they are", async () => {
    const few = await request("GET", "contract_items?select=id&id=lt.3", { prefer: "count=estimated" });
    expect([few.status, few.headers.get("content-range")]).toEqual([200, "0-1/2"]);
    expect(few.headers.get("preference-applied")).toBe("count=estimated");
  });

  test("the place of an answer is what was asked, as long as it was, without the key", async () => {
    const label = `in.(${Array.from({ length: 300 }, () => crypto.randomUUID())})`;
    const query = `select=id&label=${label}&id=gt.0&id=lt.5&apikey=${project.secretKey}`;
    const place = (await request("GET", `contract_items?${query}`)).headers.get("content-location");
    const [path, asked] = place?.split("?") ?? [];
    expect(path).toBe("/contract_items");
    expect([...new URLSearchParams(asked)]).toEqual([
      ["id", "gt.0"],
      ["id", "lt.5"],
      ["label", label],
      ["select", "id"],
    ]);
  });

  test("single and maybeSingle", async () => {
    expect((await admin().from("contract_items").select("id").eq("id", 1).single()).data).toEqual({ id: 1 });
    const none = await admin().from("contract_items").select("id").eq("id", 99).single();
    expect([none.status, none.error?.code, none.error?.details]).toEqual([
      406,
      "PGRST116",
      "The result contains 0 rows",
    ]);
    expect((await admin().from("contract_items").select("id").eq("id", 99).maybeSingle()).data).toBeNull();
  });

  test("embedding both ways, inner joins", async () => {
    await project.sql`
      with made as (insert into public.contract_groups (name) values ('one') returning id)
      update public.contract_items set group_id = made.id from made where contract_items.id < 3`;
    const down = await admin()
      .from("contract_groups")
      .select("name, contract_items(id)")
      .order("id", { referencedTable: "contract_items" });
    expect(down.data).toEqual([{ name: "one", contract_items: [{ id: 1 }, { id: 2 }] }]);
    const up = await admin().from("contract_items").select("id, contract_groups!inner(name)").order("id");
    expect(up.data).toEqual([
      { id: 1, contract_groups: { name: "one" } },
      { id: 2, contract_groups: { name: "one" } },
    ]);
  });

  test("CSV as PostgreSQL writes it", async () => {
    await project.sql`update public.contract_items set flag = true, labels = '{a,b}' where id = 1`;
    const { data } = await admin()
      .from("contract_items")
      .select("id,label,flag,labels,at")
      .lt("id", 3)
      .order("id")
      .csv();
    expect(data).toBe(
      'id,label,flag,labels,at\n1,"item 1",t,"{a,b}","2026-01-02 03:04:05.678+00"\n2,"item 2",,,"2026-01-02 03:04:05.678+00"',
    );
  });

  test("without nulls", async () => {
    const accept = "application/vnd.pgrst.array+json;nulls=stripped";
    const answer = await request("GET", "contract_items?select=id,big&id=eq.1", { accept });
    expect(answer.text).toBe('[{"id":1}]');
    expect(answer.headers.get("content-type")).toBe(`${accept}; charset=utf-8`);
  });

  test("a time zone", async () => {
    const answer = await request("GET", "contract_items?select=at&id=eq.1", {
      prefer: "timezone=Asia/Kolkata",
    });
    expect(answer.json).toEqual([{ at: "2026-01-02T08:34:05.678+05:30" }]);
  });

  test("never more than a thousand rows", async () => {
    await project.sql`insert into public.contract_items (label) select 'many' from generate_series(1, 1100)`;
    const { data } = await admin().from("contract_items").select("id");
    expect(data).toHaveLength(1000);
  });
});

describe("functions", () => {
  beforeAll(() => project.sql`delete from public.contract_groups`);

  test("sets, rows, scalars, nothing", async () => {
    const rows = await admin().rpc("contract_items_of", { p_label: "item 1" }).select("id");
    expect(rows.data).toEqual([{ id: 1 }]);
    const row = await admin().rpc("contract_add_group", { p_name: "made" });
    expect([row.status, row.data.name]).toEqual([200, "made"]);
    expect((await admin().rpc("contract_same", { value: 5 })).data).toBe(5);
    const nothing = await admin().rpc("contract_nothing");
    expect([nothing.status, nothing.data]).toEqual([204, null]);
  });

  test("a GET reads only", async () => {
    const answer = await request("GET", "rpc/contract_add_group?p_name=read");
    expect([answer.status, answer.json.code]).toEqual([405, "25006"]);
  });

  test("know who calls, how, and under which limits", async () => {
    const { client, id, email } = await signedInUser(project);
    const { data } = await client.rpc("contract_caller");
    expect(data).toMatchObject({
      user: "authenticated",
      session: "authenticator",
      uid: id,
      role: "authenticated",
      method: "POST",
      path: "/rpc/contract_caller",
      timeout: "8s",
    });
    expect(data.claims.email).toBe(email);
    const anon = await raw(project, "/rest/v1/rpc/contract_caller", { method: "POST", body: "{}" });
    expect(anon.json).toMatchObject({ user: "anon", uid: null, role: "anon", timeout: "3s" });
    expect((await admin().rpc("contract_caller")).data).toMatchObject({
      user: "service_role",
      role: "service_role",
    });
  });
});

describeLocal("the schema", () => {
  test("is whole while others make and drop what is theirs", async () => {
    let asked = false;
    const change = async (name: string) => {
      while (!asked) {
        await project.sql.unsafe(`
          create schema ${name};
          create table ${name}.orders (id bigint primary key, note text check (note <> ''));
          comment on table ${name}.orders is 'What was sold.';
          create function ${name}.same(value int) returns int language sql as 'select value'`);
        await project.sql.unsafe(`drop schema ${name} cascade`);
      }
    };
    const changes = ["contract_one", "contract_two"].map(change);
    const ask = async () => {
      const answers: string[] = [];
      for (let n = 0; n < 5; n++) {
        const { status, text } = await request("GET", "contract_items?select=id,contract_groups(name)");
        if (status !== 200) answers.push(text);
      }
      return answers;
    };
    try {
      expect((await Promise.all([ask(), ask(), ask()])).flat()).toEqual([]);
    } finally {
      asked = true;
      await Promise.all(changes);
    }
  });

  test("a table made while the gateway runs is served without being told", async () => {
    await project.sql`create table public.contract_later (id int); `;
    await project.sql`grant select on public.contract_later to service_role`;
    try {
      await expect
        .poll(async () => (await request("GET", "contract_later")).status, { timeout: 20_000, interval: 20 })
        .toBe(200);
    } finally {
      await project.sql`drop table public.contract_later`;
    }
  });
});
