import { z } from "@hono/zod-openapi";
import { bindings, condition, expression } from "./expressions.ts";
import { recordOf } from "./first-problem.ts";
import { identifier } from "./parameters.ts";
import { methods } from "./trigger.ts";
import { uuid } from "../_shared/validation.ts";

const description = z.string().max(1000).optional();
const timeout = z.int().min(100).max(60_000).optional();

/** Names of headers that hold secrets, which have no place in a document that is exported and compared. */
const secretHeader =
  /^(authorization|proxy-authorization|cookie|set-cookie|.*(api-?key|token|secret|password).*)$/i;
const header = z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, "expected a header like accept")
  .refine((name) => !secretHeader.test(name), "a header for a secret: secrets do not stand in workflows")
  .refine(
    (name) => !/^(host|content-length|connection|transfer-encoding|te|upgrade|trailer)$/i.test(name),
    "the request sets this header itself",
  );
const printable = /^[\t\x20-\x7e]*$/;
const headerValue = z.string().max(1000).regex(printable, "expected printable ASCII")
  .refine(
    (value) => !/\b(bearer|basic)\s+\S{8}|\bsk_(live|test)_|\bnk_(live|test)_|\beyJ[\w-]{10}/i.test(value),
    "this looks like a secret",
  );
const headers = recordOf(header, headerValue, {
  type: "string",
  maxLength: 1000,
  pattern: printable.source,
}).optional();

const sql = z.strictObject({
  id: identifier,
  type: z.literal("sql"),
  description,
  connection: uuid.openapi({ description: "A database connection of this organization." }),
  statement: z.string().min(1).max(100_000),
  parameters: bindings.optional().openapi({
    description: "What is bound to each :name or @name of the statement.",
  }),
  max_rows: z.int().min(1).max(100_000).optional(),
  timeout_ms: timeout,
}).openapi("WorkflowSqlStep");

const http = z.strictObject({
  id: identifier,
  type: z.literal("http"),
  description,
  method: z.enum(methods),
  url: z.string().max(2000).openapi({
    description:
      "https only. {name} in path and query is replaced by a parameter, encoded; never in the host.",
  }),
  parameters: bindings.optional(),
  headers,
  body: expression.optional(),
  timeout_ms: timeout,
}).openapi("WorkflowHttpStep");

const transform = z.strictObject({
  id: identifier,
  type: z.literal("transform"),
  description,
  output: expression,
}).openapi("WorkflowTransformStep");

const branch = z.strictObject({
  id: identifier,
  type: z.literal("branch"),
  description,
  cases: z.array(z.strictObject({ name: identifier, when: condition })).min(1).max(50).openapi({
    description: "The first that holds decides; `else` is for none.",
  }),
}).openapi("WorkflowBranchStep");

const respond = z.strictObject({
  id: identifier,
  type: z.literal("respond"),
  description,
  status: z.int().min(200).max(599),
  headers,
  body: expression.optional(),
}).openapi("WorkflowRespondStep");

export const step = z.discriminatedUnion("type", [sql, http, transform, branch, respond]).openapi(
  "WorkflowStep",
);
export type Step = z.infer<typeof step>;

/** From one step to the next; from a branch, for one of its cases or `else`. */
export const edge = z.strictObject({
  from: identifier,
  to: identifier,
  on: identifier.optional(),
}).openapi("WorkflowEdge");
export type Edge = z.infer<typeof edge>;

/**
 * Whether a host, as a URL tells it, could be on the internet: no address, and no name of an inner network. To what it
 * resolves is looked at when it is called.
 */
const isPublicName = (hostname: string) =>
  /^([a-z0-9_]([a-z0-9_-]*[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])$/.test(hostname) &&
  !/\.(localhost|local|internal|intranet|lan|home|corp|home\.arpa|onion)$/.test(hostname);

/** The names in a URL template, and what is wrong with it. */
export function readUrlTemplate(url: string): { names: Set<string>; problems: string[] } {
  const names = Array.from(url.matchAll(/\{([^{}]*)\}/g), ([, name = ""]) => name);
  const problems: string[] = [];
  const filled = url.replace(/\{[a-z][a-z0-9_]{0,62}\}/g, "x");
  if (/[{}]/.test(filled)) problems.push("a name in braces is like {order_id}");
  const origin = url.match(/^https:\/\/([^/?#]*)/)?.[1];
  if (origin === undefined) problems.push("expected https://…");
  else if (/[{}]/.test(origin)) problems.push("the host is said as it is, without parameters");
  else if (!URL.canParse(filled)) problems.push("not a URL");
  else {
    const { username, password, hash, hostname } = new URL(filled);
    if (username || password) problems.push("no user or password in a URL");
    if (!isPublicName(hostname)) problems.push("the host is a public name, such as api.example.com");
    if (hash) problems.push("no fragment: it is never sent");
  }
  return { names: new Set(names), problems };
}
