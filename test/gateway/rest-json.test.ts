import { beforeAll, describe, expect, test } from "vitest";
import { restFixture } from "./fixtures.ts";
import { adminClient, type RawAnswer, raw, useProject } from "./support.ts";

const project = useProject(restFixture);

const secret = () => ({ apikey: project.secretKey });
const send = (target: string, method: string, body: string, prefer = "return=representation") =>
  raw(project, `/rest/v1/${target}`, { method, body, headers: { ...secret(), prefer } });
const call = (name: string, body: string) => send(`rpc/${name}`, "POST", body);

describe("a row is written as PostgreSQL writes JSON", () => {
  let read: RawAnswer;
  beforeAll(async () => {
    await project.sql`
      insert into public.contract_items (id, label, big, amount, ratio, at, local_at, day, span, bytes, document, numbers,
        labels, mood, flag)
      values (1000, 'typed', 9007199254740993, 12345678901234567890.10, 1e300, '2026-01-02 03:04:05.678+00',
        '2026-01-02 03:04:05', '2026-01-02', '1 day 02:03:04', '\\xdeadbeef',
        '{"huge": 12345678901234567890, "text": "1.0"}', '{1,null,3}', '{"a,b","\\"q\\""}', 'happy', true)`;
    read = await raw(project, "/rest/v1/contract_items?id=eq.1000", { headers: secret() });
  });

  test.each([
    ["timestamptz in ISO 8601", '"at":"2026-01-02T03:04:05.678+00:00"'],
    ["timestamp", '"local_at":"2026-01-02T03:04:05"'],
    ["date", '"day":"2026-01-02"'],
    ["interval", '"span":"1 day 02:03:04"'],
    ["bytea in hex", '"bytes":"\\\\xdeadbeef"'],
    ["bigint beyond 2^53", '"big":9007199254740993'],
    ["numeric with all digits and its scale", '"amount":12345678901234567890.10'],
    ["float", '"ratio":1e+300'],
    ["numbers inside jsonb", '"huge": 12345678901234567890'],
    ["arrays with null", '"numbers":[1,null,3]'],
    ["text arrays", '"labels":["a,b","\\"q\\""]'],
    ["enum", '"mood":"happy"'],
    ["boolean", '"flag":true'],
  ])("%s", (_what, expected) => {
    expect(read.text.replaceAll(": ", ":")).toContain(expected.replaceAll(": ", ":"));
  });

  test("inside an embedded row as well", async () => {
    const group = await call("contract_add_group", '{"p_name":"embedding"}');
    await send(
      "contract_items",
      "POST",
      `{"group_id":"${group.json.id}","big":9007199254740995,"amount":0.10}`,
    );
    const answer = await raw(
      project,
      "/rest/v1/contract_groups?select=name,contract_items(big,amount,at)&name=eq.embedding",
      { headers: secret() },
    );
    expect(answer.text).toContain('"big":9007199254740995');
    expect(answer.text).toContain('"amount":0.10');
    expect(answer.text).toContain('"at":"2026-01-02T03:04:05.678+00:00"');
  });

  test("NaN and infinity are strings", async () => {
    const answer = await send(
      "contract_items?select=amount,ratio",
      "POST",
      '{"amount":"NaN","ratio":"Infinity"}',
    );
    expect(answer.text).toBe('[{"amount":"NaN","ratio":"Infinity"}]');
  });

  test("a JSON string that looks like a number stays a string", async () => {
    const { data } = await adminClient(project)
      .from("contract_items")
      .select("document->text, renamed:document->text")
      .eq("id", 1000)
      .single();
    expect(data).toEqual({ text: "1.0", renamed: "1.0" });
  });
});

describe("a value is stored as it was sent", () => {
  const stored = async (body: string) => (await send("contract_items", "POST", body)).json[0].id as number;

  test("bigint and numeric beyond 2^53, on insert and on update", async () => {
    const id = await stored('{"big":9007199254740993,"amount":12345678901234567890.123}');
    const select = () =>
      project.sql`select big::text, amount::text from public.contract_items where id = ${id}`;
    expect(await select()).toEqual([{ big: "9007199254740993", amount: "12345678901234567890.123" }]);
    await send(`contract_items?id=eq.${id}`, "PATCH", '{"big":-9007199254740995}');
    expect((await select())[0]).toMatchObject({ big: "-9007199254740995" });
  });

  test("every kind of JSON in a jsonb column, none encoded twice", async () => {
    for (const json of ['{"a": [1, "2"]}', '"text"', '"[1"', "[1, 2]", "12345678901234567890", "true"]) {
      const id = await stored(`{"document":${json}}`);
      const [row] = await project.sql`select document::text from public.contract_items where id = ${id}`;
      expect(row?.["document"]).toBe(json);
    }
  });

  test("arrays, bytes, enums, intervals", async () => {
    const id = await stored(
      '{"numbers":[1,null,3],"labels":["a,b","\\"q\\""],"bytes":"\\\\xff00","mood":"sad","span":"90 minutes"}',
    );
    const [row] = await project.sql`
      select numbers::text, labels::text, bytes::text, mood::text, span::text
      from public.contract_items where id = ${id}`;
    expect(row).toEqual({
      numbers: "{1,NULL,3}",
      labels: '{"a,b","\\"q\\""}',
      bytes: "\\xff00",
      mood: "sad",
      span: "01:30:00",
    });
  });

  test("a key that a row of a bulk insert lacks is null, or the default if asked for", async () => {
    const client = adminClient(project);
    const rows = [{ big: 1, label: "given" }, { big: 2 }];
    const without = await client.from("contract_items").insert(rows).select("big,label").order("big");
    expect(without.data).toEqual([
      { big: 1, label: "given" },
      { big: 2, label: null },
    ]);
    const stored =
      await project.sql`select count(*)::int as n from public.contract_items where big = 2 and label is null`;
    expect(stored[0]?.["n"]).toBe(1);
    const withDefault = await client
      .from("contract_items")
      .insert(rows, { defaultToNull: false })
      .select("big,label")
      .order("big");
    expect(withDefault.data).toEqual([
      { big: 1, label: "given" },
      { big: 2, label: "new" },
    ]);
  });

  test("a bulk insert has more values than a statement has parameters", async () => {
    const rows = Array.from({ length: 9_000 }, (_, i) => ({
      id: 100_000 + i,
      label: `bulk ${i}`,
      big: `${2n ** 62n + BigInt(i)}`,
      amount: i / 10,
      flag: null,
      numbers: [i, null],
      document: { i },
      day: "2026-01-02",
    }));
    const answer = await send("contract_items", "POST", JSON.stringify(rows), "count=exact");
    expect([answer.text, answer.status, answer.headers.get("content-range")]).toEqual(["", 201, "*/9000"]);
    const [last] = await project.sql`
      select big::text, amount::text, flag, numbers::text, document, day::text from public.contract_items
      where label = 'bulk 8999'`;
    expect(last).toEqual({
      big: "4611686018427396903",
      amount: "899.9",
      flag: null,
      numbers: "{8999,NULL}",
      document: { i: 8999 },
      day: "2026-01-02",
    });
    const known = await project.sql`select id from public.contract_items where label like 'bulk %'`;
    const changes = known.map(({ id }) => ({
      id,
      label: "changed",
      day: null,
      flag: true,
      ratio: 1,
      mood: "sad",
      span: "1 day",
      bytes: null,
    }));
    const prefer = "resolution=merge-duplicates";
    expect((await send("contract_items", "POST", JSON.stringify(changes), prefer)).status).toBe(200);
    const changed =
      await project.sql`delete from public.contract_items where label = 'changed' and day is null`;
    expect(changed.count).toBe(9_000);
  });

  test("an empty object takes every default", async () => {
    const answer = await send("contract_items?select=label", "POST", "{}");
    expect([answer.status, answer.text]).toEqual([201, '[{"label":"new"}]']);
  });
});

describe("a function's arguments arrive as they were sent", () => {
  test.each([
    ["object", '{"a":[1,{"b":"c"}]}'],
    ["array", "[1,2]"],
    ["string", "string", '"text"'],
    ["string", "text that looks like JSON", '"[1,2"'],
    ["number", "12345678901234567890"],
    ["boolean", "true"],
  ])("jsonb: %s %s", async (type, text, json = text) => {
    const answer = await call("contract_echo", `{"document":${json}}`);
    expect(answer.text.replaceAll(", ", ",").replaceAll(": ", ":")).toContain(`"document":${json}`);
    expect(answer.json.type).toBe(type);
  });

  test("numbers, arrays, enums, times", async () => {
    const answer = await call(
      "contract_echo",
      '{"amount":12345678901234567890.5,"big":9007199254740993,"numbers":[1,2],"mood":"happy","at":"2026-01-01T00:00:00Z"}',
    );
    const text = answer.text.replaceAll(", ", ",").replaceAll(": ", ":");
    expect(text).toContain('"amount":12345678901234567890.5');
    expect(text).toContain('"big":9007199254740993');
    expect(answer.json).toMatchObject({ numbers: [1, 2], mood: "happy", at: "2026-01-01T00:00:00+00:00" });
  });

  test("in a query every argument is text", async () => {
    const get = (query: string) => raw(project, `/rest/v1/rpc/${query}`, { headers: secret() });
    expect((await get("contract_same?value=9007199254740993")).text).toBe("9007199254740993");
    const echo = await get("contract_echo?label=null&amount=1.10&numbers={1,2}");
    expect(echo.json).toMatchObject({ label: "null", numbers: [1, 2] });
    expect(echo.text).toContain("1.10");
  });
});
