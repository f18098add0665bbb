import type { WorkflowDefinition } from "./workflow.ts";

export const CONNECTION = "0b9f2f9e-6a3c-4b69-9d4b-6f2f8f0f6a11";

/** A workflow that uses every kind of step. */
export function orderWorkflow(path = "/orders/{order_id}"): WorkflowDefinition {
  return {
    format: "nectar.workflow/1",
    trigger: { type: "http", method: "GET", path },
    parameters: [
      { name: "order_id", type: "integer", in: "path" },
      { name: "currency", type: "string", in: "query", default: "EUR", enum: ["EUR", "USD"] },
    ],
    start: "find",
    steps: [
      {
        id: "find",
        type: "sql",
        connection: CONNECTION,
        statement: "select id, total from orders where id = :order_id",
        parameters: { order_id: { parameter: "order_id" } },
      },
      {
        id: "found",
        type: "branch",
        cases: [{ name: "yes", when: { left: { pointer: "/steps/find/rows/0/id" }, is: "present" } }],
      },
      {
        id: "rate",
        type: "http",
        method: "GET",
        url: "https://rates.example.com/v1/latest?to={currency}",
        parameters: { currency: { parameter: "currency" } },
        headers: { accept: "application/json" },
      },
      {
        id: "shape",
        type: "transform",
        output: {
          object: {
            id: { pointer: "/steps/find/rows/0/id" },
            rate: { pointer: "/steps/rate/body/rate" },
            lines: { each: "/steps/find/rows", as: { object: { total: { pointer: "/item/total" } } } },
          },
        },
      },
      { id: "ok", type: "respond", status: 200, body: { pointer: "/steps/shape" } },
      {
        id: "missing",
        type: "respond",
        status: 404,
        body: { object: { error: { value: "no such order" } } },
      },
    ],
    edges: [
      { from: "find", to: "found" },
      { from: "found", to: "rate", on: "yes" },
      { from: "found", to: "missing", on: "else" },
      { from: "rate", to: "shape" },
      { from: "shape", to: "ok" },
    ],
    output: { type: "object", properties: { id: { type: "integer" } }, required: ["id"] },
    cache: { ttl_seconds: 60, stale_seconds: 30, vary_by: ["order_id"], tags: ["orders"] },
    limits: { timeout_ms: 5000 },
  };
}

/** The smallest workflow there is. */
export function smallWorkflow(path = "/"): WorkflowDefinition {
  return {
    format: "nectar.workflow/1",
    trigger: { type: "http", method: "GET", path },
    start: "ok",
    steps: [{ id: "ok", type: "respond", status: 204 }],
    edges: [],
  };
}
