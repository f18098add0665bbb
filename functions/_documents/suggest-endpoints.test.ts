import assert from "node:assert/strict";
import fc from "fast-check";
import type { Table } from "../_shared/schema-snapshot.ts";
import { checkWorkflow } from "../_workflows/check.ts";
import { tableOf } from "./schema-testing.ts";
import { suggestEndpoints } from "./suggest-endpoints.ts";

const connection = crypto.randomUUID();
const engines = ["mssql", "postgres", "mysql"] as const;
const columns = ["id:int", "customerId:bigint", "number:varchar(20)", "placed on:date", "notes:text"];
const orders = tableOf("OrderLines", columns, {
  foreign_keys: [
    { name: "f", columns: ["customerId"], schema: "public", table: "customers", references: ["id"] },
  ],
  indexes: [
    { name: "u", columns: ["number", "placed on"], unique: true },
    { name: "pk_again", columns: ["id"], unique: true },
    { name: "i", columns: ["notes"], unique: false },
  ],
});

const statementOf = ({ definition }: { definition: { steps: object[] } }) =>
  (definition.steps[0] as { statement: string }).statement;

Deno.test("a page, one by its key, and rows by each unique and foreign key: valid workflows for every engine", () => {
  for (const engine of engines) {
    const made = suggestEndpoints(engine, connection, orders);
    assert.deepEqual(
      made.map(({ definition: { trigger } }) =>
        trigger.type === "http" && `${trigger.method} ${trigger.path}`
      ),
      [
        "GET /order-lines",
        "GET /order-lines/{id}",
        "GET /order-lines/by-number-and-placed-on/{number}/{placed_on}",
        "GET /order-lines/by-customer-id/{customer_id}",
      ],
    );
    assert.deepEqual(made.map(({ kind }) => kind), ["list", "get", "by_key", "by_key"]);
    for (const { definition, slug, name } of made) {
      assert.deepEqual(checkWorkflow(definition).issues, undefined, JSON.stringify(definition));
      assert.match(slug, /^[a-z0-9]+(-[a-z0-9]+)*$/);
      assert.ok(slug.length <= 63 && name.length <= 100);
    }
    assert.equal(new Set(made.map(({ slug }) => slug)).size, made.length);
  }
  const [list, get, unique, foreign] = suggestEndpoints("mssql", connection, orders).map(statementOf);
  const select = "select [id], [customerId], [number], [placed on], [notes] from [public].[OrderLines]";
  const page = "order by [id] offset :offset rows fetch next :limit rows only";
  assert.equal(list, `${select} ${page}`);
  assert.equal(get, `${select} where [id] = :id`);
  assert.equal(unique, `${select} where [number] = :number and [placed on] = :placed_on`);
  assert.equal(foreign, `${select} where [customerId] = :customer_id ${page}`);
  assert.match(
    suggestEndpoints("mysql", connection, orders).map(statementOf)[0] ?? "",
    /from `public`\.`OrderLines` order by `id` limit :limit/,
  );
});

Deno.test("personal data are not selected, and no key has them", () => {
  const made = suggestEndpoints("postgres", connection, orders, new Set(["number", "notes"]));
  assert.deepEqual(made.map(({ kind }) => kind), ["list", "get", "by_key"]);
  for (const each of made) assert.doesNotMatch(statementOf(each), /number|notes/);
  assert.deepEqual(suggestEndpoints("postgres", connection, tableOf("t", ["a:int"]), new Set(["a"])), []);
});

Deno.test("whatever tables are called, a suggestion is a valid workflow, or there is none", () => {
  const name = fc.oneof(
    { weight: 6, arbitrary: fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_ ]{0,30}$/) },
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 }),
    fc.constantFrom(
      "a]b",
      'a"b',
      "a`b",
      "a--b",
      ":a",
      "@a",
      "limit",
      "offset",
      "Ünïcode",
      "a;b",
      "order",
      "${x}",
      "x\\",
      "1a",
    ),
  );
  const table = fc.record({
    name,
    schema: name,
    columns: fc.uniqueArray(name, { minLength: 1, maxLength: 8 }),
    picks: fc.array(fc.array(fc.nat(7), { minLength: 1, maxLength: 3 }), { maxLength: 4 }),
  }).map(({ name, schema, columns, picks }): Table => {
    const keys = picks.map((pick) => [...new Set(pick.map((at) => columns[at % columns.length] ?? ""))]);
    return {
      ...tableOf(name, []),
      schema,
      columns: columns.map((column) => ({
        ...tableOf("x", ["x:int"]).columns[0] as Table["columns"][number],
        name: column,
      })),
      primary_key: keys[0] ?? [],
      indexes: keys.slice(1).map((columns, at) => ({ name: `${at}`, columns, unique: true })),
    };
  });
  let some = 0;
  fc.assert(
    fc.property(fc.constantFrom(...engines), table, (engine, table) => {
      for (const { definition, slug } of suggestEndpoints(engine, connection, table)) {
        some++;
        assert.deepEqual(checkWorkflow(definition).issues, undefined, JSON.stringify(definition));
        assert.match(slug, /^[a-z0-9]+(-[a-z0-9]+)*$/);
      }
    }),
    { numRuns: 2000 },
  );
  assert.ok(some > 500);
});
