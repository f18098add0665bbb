import { beforeAll, describe, expect, test } from "vitest";
import { restFixture } from "./fixtures.ts";
import { adminClient, raw, useProject } from "./support.ts";

const project = useProject(restFixture);

const ids = async (query: string): Promise<number[]> => {
  const target = `/rest/v1/contract_items?select=id&order=id&${query}`;
  const answer = await raw(project, target, { headers: { apikey: project.secretKey } });
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.json.map((row: { id: number }) => row.id);
};

beforeAll(async () => {
  await project.sql`
    insert into public.contract_items (id, label, big, amount, numbers, labels, document, flag, bytes, span)
    values
      (1, '1.10', 9007199254740993, 1.10, '{1,2}', '{"a,b"}', '{"k": "x"}', true, '\\xff', '1 day'),
      (2, 'null', 9007199254740992, 2, '{3}', '{c}', '["x"]', false, '\\x00', '2 days'),
      (3, 'a,"b)', 3, 3, '{}', '{}', '"x"', null, null, null),
      (4, '+49 30 1', 4, 4, null, null, null, null, null, null),
      (5, '  padded ', 5, 5, null, null, null, null, null, null)`;
});

describe("a filter's value is compared as it was sent", () => {
  test.each([
    ["text that looks like a number", "label=eq.1.10", [1]],
    ["the word null", "label=eq.null", [2]],
    ["a plus sign and blanks", "label=eq.%2B49%2030%201", [4]],
    ["blanks around", "label=eq.%20%20padded%20", [5]],
    ["quotes are part of the value", 'label=eq."1.10"', []],
    ["bigint beyond 2^53", "big=eq.9007199254740993", [1]],
    ["numeric", "amount=eq.1.1", [1]],
    ["boolean", "flag=eq.true", [1]],
    ["is", "flag=is.false", [2]],
    ["not is", "flag=not.is.null", [1, 2]],
    ["bytea", "bytes=eq.\\xff", [1]],
    ["interval", "span=gt.1 day", [2]],
    ["in, quoted", 'label=in.(null,"a,\\"b)")', [2, 3]],
    ["in, empty", "id=in.()", []],
    ["not in", "id=not.in.(1,2,3)", [4, 5]],
    ["array contains", "numbers=cs.{1}", [1]],
    ["array contains, quoted", 'labels=cs.{"a,b"}', [1]],
    ["array overlaps", "numbers=ov.{2,3}", [1, 2]],
    ["json contains", 'document=cs.["x"]', [2]],
    ["json path", "document->>k=eq.x", [1]],
    ["like", "label=like.1*", [1]],
    ["like any", "label=like(any).{1*,nu*}", [1, 2]],
    ["isdistinct", "label=isdistinct.null&id=lt.3", [1]],
  ])("%s", async (_what, query, expected) => {
    expect(await ids(query)).toEqual(expected);
  });
});

describe("all filters hold together", () => {
  test("twice the same operator on a column", async () => {
    const { data } = await adminClient(project)
      .from("contract_items")
      .select("id")
      .neq("id", 1)
      .neq("id", 2)
      .order("id");
    expect(data).toEqual([{ id: 3 }, { id: 4 }, { id: 5 }]);
  });

  test("two ors are joined by and", async () => {
    const query = adminClient(project).from("contract_items").select("id");
    const { data } = await query.or("id.eq.1,id.eq.2").or("id.eq.2,id.eq.3");
    expect(data).toEqual([{ id: 2 }]);
  });

  test.each([
    ["a tree", "or=(and(id.gt.1,id.lt.3),id.eq.5)", [2, 5]],
    ["quoted values in a tree", 'or=(label.eq."a,\\"b)",id.eq.1)', [1, 3]],
    ["a negated tree", "not.or=(id.eq.1,id.eq.2)", [3, 4, 5]],
    ["negated filters in a tree", "and=(id.not.eq.1,label.not.in.(null))", [3, 4, 5]],
    ["a tree beside filters", "id=gt.1&or=(id.eq.1,id.eq.2)", [2]],
  ])("%s", async (_what, query, expected) => {
    expect(await ids(query)).toEqual(expected);
  });

  test("on an embedded table too", async () => {
    await project.sql`
      with made as (insert into public.contract_groups (name) values ('filtered') returning id)
      update public.contract_items set group_id = made.id from made where contract_items.id in (1, 2, 3)`;
    const { data } = await adminClient(project)
      .from("contract_groups")
      .select("name, contract_items(id)")
      .neq("contract_items.id", 1)
      .neq("contract_items.id", 2);
    expect(data).toEqual([{ name: "filtered", contract_items: [{ id: 3 }] }]);
  });
});

describe("an attacker's filter", () => {
  test.each([
    "label=eq.%27%20or%201%3D1--",
    "label=eq.x%22%29%20or%20%281%3D1",
    "or=(label.eq.x%27%29,label.eq.y)",
    "label=in.(%27%29%20or%201%3D1--)",
    "document->>k%27%20or%20true--=eq.x",
  ])("%s finds nothing it should not", async (query) => {
    const answer = await raw(project, `/rest/v1/contract_items?select=id&${query}`, {
      headers: { apikey: project.secretKey },
    });
    expect(answer.status).toBeLessThan(500);
    if (answer.status === 200) expect(answer.json).toEqual([]);
  });
});
