import assert from "node:assert/strict";
import fc from "fast-check";
import { checkWorkflow, checkWorkflowText } from "./check.ts";
import { CONNECTION, orderWorkflow, smallWorkflow } from "./testing.ts";

// deno-lint-ignore no-explicit-any
type Loose = any;

/** The problems of a workflow that somebody changed. */
function problems(change: (workflow: Loose) => void, workflow: Loose = orderWorkflow()): string[] {
  change(workflow);
  return (checkWorkflow(workflow).issues ?? []).map(({ path, message }) => `${path} ${message}`);
}

const scheduled = () => ({
  ...smallWorkflow(),
  trigger: { type: "schedule", cron: "0 6 * * 1", timezone: "Europe/Paris" },
  start: "clean",
  steps: [{ id: "clean", type: "sql", connection: CONNECTION, statement: "delete from old_orders" }],
});

Deno.test("what is a workflow is taken as it stands", () => {
  for (const workflow of [orderWorkflow(), smallWorkflow(), scheduled()]) {
    assert.deepEqual(checkWorkflow(structuredClone(workflow)), { definition: workflow });
  }
});

const broken: [string, (workflow: Loose) => void, RegExp][] = [
  ["another format", (w) => w.format = "nectar.workflow/2", /^\/format /],
  ["something more", (w) => w.steps[0].password = "x", /^\/steps\/0 .*password/],
  ["two steps of one name", (w) => w.steps[1].id = "find", /^\/steps\/1\/id another step is called find/],
  ["no first step", (w) => w.start = "nowhere", /^\/start there is no step nowhere/],
  ["an edge to nowhere", (w) => w.edges[0].to = "nowhere", /^\/edges\/0\/to there is no step nowhere/],
  ["an edge from nowhere", (w) => w.edges[0].from = "nowhere", /^\/edges\/0\/from there is no step/],
  ["a circle", (w) => w.edges.push({ from: "rate", to: "find" }), /^\/edges\/\d leads on twice|in a circle/],
  [
    "a step that nothing leads to",
    (w) => w.steps.push({ id: "lost", type: "respond", status: 200 }),
    /^\/steps\/6 no way leads here/,
  ],
  ["a way without an answer", (w) => w.edges.splice(4, 1), /^\/steps\/3 it leads to no response/],
  ["a case without an answer", (w) => w.edges.splice(2, 1), /^\/steps\/1 for else it leads to no response/],
  [
    "a case that is none",
    (w) => w.edges[1].on = "maybe",
    /^\/edges\/1\/on expected one of the branch's cases/,
  ],
  [
    "something after the answer",
    (w) => w.edges.push({ from: "ok", to: "missing" }),
    /^\/edges\/5 nothing comes after/,
  ],
  [
    "a parameter that is none",
    (w) => w.steps[0].parameters.order_id.parameter = "id",
    /^\/steps\/0\/parameters\/order_id\/parameter there is no parameter id/,
  ],
  [
    "a pointer to no step",
    (w) => w.steps[3].output.object.id.pointer = "/steps/x/y",
    /^\/steps\/3\/output\/object\/id\/pointer there is no step x/,
  ],
  [
    "a pointer to what comes later",
    (w) => w.steps[0].parameters.order_id = { pointer: "/steps/rate/a" },
    /rate does not run before/,
  ],
  [
    "an item outside of a list",
    (w) => w.steps[4].body.pointer = "/item/x",
    /^\/steps\/4\/body\/pointer \/item is there only/,
  ],
  [
    "a bound value that is not used",
    (w) => w.steps[0].parameters.more = { value: 1 },
    /^\/steps\/0\/parameters\/more bound|more is bound and not used/,
  ],
  [
    "a placeholder that is not bound",
    (w) => w.steps[0].statement += " and a = @other",
    /^\/steps\/0\/parameters other is not bound/,
  ],
  [
    "a path without its parameter",
    (w) => w.parameters[0].in = "query",
    /^\/trigger\/path order_id is not declared/,
  ],
  [
    "a parameter without its path",
    (w) => w.trigger.path = "/orders",
    /^\/parameters\/0\/in \{order_id\} does not stand/,
  ],
  [
    "a default of another type",
    (w) => w.parameters[1].default = 5,
    /^\/parameters\/1\/default not of type string/,
  ],
  [
    "a choice of another type",
    (w) => w.parameters[0].enum = ["a"],
    /^\/parameters\/0\/enum\/0 not of type integer/,
  ],
  [
    "a comparison across types",
    (w) =>
      w.steps[1].cases[0].when = { left: { parameter: "order_id" }, is: "equals", right: { value: "a" } },
    /^\/steps\/1\/cases\/0\/when compared with what is not of type integer/,
  ],
  [
    "an order of what has none",
    (w) => w.steps[1].cases[0].when = { left: { parameter: "currency" }, is: "less", right: { value: "a" } },
    /string has no order/,
  ],
  ["plain http", (w) => w.steps[2].url = "http://example.com/{currency}", /^\/steps\/2\/url expected https/],
  [
    "a host from outside",
    (w) => w.steps[2].url = "https://{currency}.example.com/",
    /^\/steps\/2\/url the host is said/,
  ],
  [
    "a password in a URL",
    (w) => w.steps[2].url = "https://a:b@example.com/{currency}",
    /no user or password/,
  ],
  [
    "a secret in a header",
    (w) => w.steps[2].headers = { authorization: "x" },
    /^\/steps\/2\/headers\/authorization a header for a secret/,
  ],
  [
    "a secret in a harmless header",
    (w) => w.steps[2].headers = { "x-note": "Bearer abcdefghijk" },
    /this looks like a secret/,
  ],
  ["a cached POST", (w) => w.trigger.method = "POST", /^\/cache only answers to GET/],
  [
    "a response to a schedule",
    (w) => w.trigger = { type: "schedule", cron: "0 6 * * *" },
    /a schedule has nobody to respond to/,
  ],
  [
    "an expression that is none",
    (w) => w.steps[3].output = { object: { a: { pointer: "no" } } },
    /^\/steps\/3\/output\/object\/a\/pointer expected a pointer/,
  ],
  ["half a character", (w) => w.description = "\ud800", /^\/description text with NUL or half a character/],
];
for (const [name, change, expected] of broken) {
  Deno.test(`refused: ${name}`, () => {
    const found = problems(change);
    assert.ok(found.some((problem) => expected.test(problem)), `${expected} is not in\n${found.join("\n")}`);
  });
}

for (
  const host of [
    "localhost",
    "127.0.0.1",
    "2130706433",
    "0x7f.1",
    "169.254.169.254",
    "[::1]",
    "[::ffff:10.0.0.1]",
    "db",
    "metadata.google.internal",
    "api.localhost.",
    "printer.local",
  ]
) {
  Deno.test(`refused: a request to ${host}`, () =>
    assert.match(
      problems((w) => w.steps[2].url = `https://${host}:8443/{currency}`).join(),
      /^\/steps\/2\/url the host is a public name/,
    ));
}

const statements: [string, RegExp][] = [
  ["select * from t where a = '${name}'", /text is put into/],
  ["select * from {table}", /text is put into/],
  ["select * from t where a = {{name}}", /text is put into/],
  ["select * from t where a = %s", /text is put into/],
  ["select * from t where a = ?", /without a name/],
  ["select * from t where a = $1", /without a name/],
  ["select ':order_id'", /is text, not a parameter/],
  ["exec('select 1')", /put together when it runs/],
  ["exec sp_executesql @order_id", /put together when it runs/],
  ["select 1; drop table t", /more than one statement/],
  ["select 'a", /does not end/],
  ["select 1 /* a", /does not end/],
  ["select 'a\\' or :order_id --'", /behind a backslash/],
  ["-- nothing", /no statement/],
  ["select 1 /*!50000 union select :order_id */", /MySQL runs/],
  ["select 1 /*M! , :order_id */", /MySQL runs/],
  ["select 1 --:order_id", /MySQL a comment begins/],
  ["select /* /* */ :order_id */ 1", /a comment in a comment/],
];
for (const [statement, expected] of statements) {
  Deno.test(`refused: ${statement}`, () => {
    const found = problems((w) => w.steps[0].statement = statement);
    assert.ok(
      found.some((problem) => problem.startsWith("/steps/0/statement") && expected.test(problem)),
      found.join("\n"),
    );
  });
}

for (
  const statement of [
    "select :order_id::int, '${' || 'no' -- :comment",
    "select id from [my table] where id = @order_id and n = @@rowcount;",
    "select 'it''s @home', \"a:b\", :order_id /* @x */",
    "select $q$ :nothing $q$, :order_id",
  ].filter((text) => !text.includes("${"))
) {
  Deno.test(`taken: ${statement}`, () =>
    assert.deepEqual(problems((w) => w.steps[0].statement = statement), []));
}

for (
  const [cron, expected] of [
    ["* * * * *", /5 minutes apart/],
    ["*/7 * * * *", /5 minutes apart/],
    ["0 0 30 2 *", /never comes/],
    ["0 0 * * * *", /five fields/],
    ["x", /five fields/],
    ["99 * * * *", /five fields/],
  ] as const
) {
  Deno.test(`refused: every ${cron}`, () => {
    assert.match(problems((w) => w.trigger.cron = cron, scheduled()).join("\n"), expected);
  });
}
Deno.test("a schedule has a time zone that is one, and parameters with defaults", () => {
  assert.match(problems((w) => w.trigger.timezone = "Mars/Base", scheduled()).join(), /^\/trigger\/timezone/);
  assert.match(
    problems((w) => w.parameters = [{ name: "a", type: "string" }], scheduled()).join(),
    /^\/parameters\/0\/default/,
  );
  assert.deepEqual(problems((w) => w.trigger.cron = "*/5 * * * *", scheduled()), []);
});

Deno.test("several problems are told at once, and not thousands", () => {
  assert.ok(
    problems((w) => {
      w.start = "x";
      w.edges[0].to = "y";
      w.steps[0].statement = "select {a}";
    }).length >= 3,
  );
  const many = Array.from({ length: 400 }, (_, n) => ({ from: `a${n}`, to: `b${n}` }));
  assert.equal(problems((w) => w.edges = many).length, 50);
});

Deno.test("500 steps are taken, 501 are not; the check is quick either way", () => {
  const chain = (count: number) => {
    const steps = Array.from(
      { length: count - 1 },
      (_, n) => ({ id: `s${n}`, type: "transform", output: { value: n } }),
    );
    return {
      ...smallWorkflow(),
      start: "s0",
      steps: [...steps, { id: "ok", type: "respond", status: 200, body: { pointer: "/steps/s0" } }],
      edges: steps.map(({ id }, n) => ({ from: id, to: steps[n + 1]?.id ?? "ok" })),
    };
  };
  assert.deepEqual(checkWorkflow(chain(500)).issues, undefined);
  assert.match(checkWorkflow(chain(501)).issues?.[0]?.path ?? "", /^\/steps$/);
});

Deno.test("text: too large, too deep, no JSON, names that are none", () => {
  const issue = (text: string) => checkWorkflowText(text).issues?.[0]?.message;
  assert.match(issue(`"${"x".repeat(1024 * 1024)}"`) ?? "", /1 MiB/);
  for (const deep of ["[".repeat(500_000), '{"a":'.repeat(100_000), `${"[".repeat(33)}${"]".repeat(33)}`]) {
    assert.match(issue(deep) ?? "", /deeper than 32/);
  }
  assert.equal(issue("{"), "not JSON");
  assert.equal(issue('{"__proto__": {"format": "nectar.workflow/1"}}'), "a name that cannot be kept");
  assert.equal(issue("[1e400]"), "a number too large to keep");
});

Deno.test("of what is nested and wrong throughout, the first is told: all of it would take gigabytes", () => {
  const wrong = (length: number, part: unknown = {}) => Array.from({ length }, () => part);
  const names = (length: number, part: unknown = {}) =>
    Object.fromEntries(wrong(length, part).map((each, n) => [`n${n}`, each]));
  const transform = (output: unknown) => ({ id: "a", type: "transform", output });
  const sql = { id: "a", type: "sql", connection: CONNECTION, statement: "x", parameters: names(10_000) };
  const branch = (when: unknown) => ({ id: "a", type: "branch", cases: [{ name: "yes", when }] });
  for (
    const step of [
      transform({ array: wrong(300, { array: wrong(900) }) }),
      transform({ object: names(300, { object: names(200) }) }),
      branch({ all: wrong(50, { any: wrong(50, { all: wrong(50) }) }) }),
      sql,
      { id: "a", type: "respond", status: 200, headers: names(10_000, 1) },
    ]
  ) {
    const { issues } = checkWorkflow({ ...smallWorkflow(), steps: [step] });
    assert.equal(issues?.length, 1, JSON.stringify(issues));
  }
  const output = { type: "object", properties: names(10_000) };
  assert.equal(checkWorkflow({ ...smallWorkflow(), output }).issues?.length, 1);
});

Deno.test("what is wrong a hundred thousand times, or in very long words, is told shortly", () => {
  const long = "x".repeat(400_000);
  const hostile: Loose[] = [
    { [long]: Array(100_000).fill("\0") },
    { ...smallWorkflow(), ...Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`key_${n}`, 1])) },
    { ...smallWorkflow(), output: { type: "object", properties: { [long]: { type: "x" } } } },
    {
      ...smallWorkflow(),
      steps: Array(499).fill({ id: "a", type: "sql", connection: CONNECTION, statement: "?" }),
    },
  ];
  for (const workflow of hostile) {
    const { issues = [] } = checkWorkflow(workflow);
    assert.ok(issues.length > 0 && issues.length <= 50);
    assert.ok(JSON.stringify(issues).length < 30_000);
  }
});

Deno.test("any JSON is a workflow or has a problem with a place; nothing is thrown", () => {
  const property = fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
    const { issues } = checkWorkflowText(JSON.stringify(value));
    return issues !== undefined && issues.every(({ path }) => path === "" || path.startsWith("/"));
  });
  fc.assert(property, { numRuns: 2000 });
});

Deno.test("a workflow with any value in any place is refused or taken; nothing is thrown", () => {
  const paths: (string | number)[][] = [];
  const walk = (value: unknown, path: (string | number)[]) => {
    paths.push(path);
    if (Array.isArray(value)) value.forEach((inner, at) => walk(inner, [...path, at]));
    else if (typeof value === "object" && value !== null) {
      for (const [name, inner] of Object.entries(value)) walk(inner, [...path, name]);
    }
  };
  walk(orderWorkflow(), []);
  const property = fc.property(
    fc.constantFrom(...paths),
    fc.jsonValue({ maxDepth: 3 }),
    ([...path], value) => {
      const workflow: Loose = orderWorkflow();
      const last = path.pop();
      if (last === undefined) return true;
      const parent = path.reduce<Loose>((inner, name) => inner[name], workflow);
      parent[last] = value;
      checkWorkflow(workflow);
      return true;
    },
  );
  fc.assert(property, { numRuns: 3000 });
});
