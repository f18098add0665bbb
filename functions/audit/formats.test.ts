import assert from "node:assert/strict";
import { columns, type ExportedEntry, formats } from "./formats.ts";

const entry: ExportedEntry = {
  seq: 7,
  occurred_at: "2026-11-25T10:00:00+00:00",
  actor_kind: "user",
  actor_id: null,
  on_behalf_of: null,
  action: "applications.update",
  object_id: 'a "b", c',
  before: { name: "Rocket" },
  after: null,
  request_id: "line\r\nbreak",
  ip: "203.0.113.7",
  previous_hash: "00ff",
  hash: "abcd",
};

Deno.test("NDJSON: one entry, one line", () => {
  const line = formats.ndjson.line(entry);
  assert.equal(line.indexOf("\n"), line.length - 1);
  assert.deepEqual(JSON.parse(line), entry);
});

Deno.test("CSV: what would end a cell or a line is quoted", () => {
  assert.equal(formats.csv.header, `${columns.join(",")}\r\n`);
  assert.equal(
    formats.csv.line(entry),
    '7,2026-11-25T10:00:00+00:00,user,,,applications.update,"a ""b"", c","{""name"":""Rocket""}",,' +
      '"line\r\nbreak",203.0.113.7,00ff,abcd\r\n',
  );
});

Deno.test("CSV: no cell is a formula", () => {
  for (
    const text of [
      '=HYPERLINK("http://evil")',
      "+1",
      "-1",
      "@SUM(A1)",
      "\t=1",
      "\r=1",
      " =1",
      "|calc",
      "%0A",
    ]
  ) {
    const line = formats.csv.line({ ...entry, object_id: text });
    assert.ok(/,"?'/.test(line), JSON.stringify(line));
  }
  assert.ok(!formats.csv.line({ ...entry, object_id: "a=b" }).includes("'"));
});
