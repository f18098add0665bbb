import assert from "node:assert/strict";
import { matchRoute } from "./routes.ts";

const routes = [
  "GET /",
  "GET /orders/{}",
  "GET /orders/new",
  "GET /{}/new",
  "POST /orders/{}",
  "GET /orders/{}/lines/{}",
];

for (
  const [method, path, expected] of [
    ["GET", "/", "GET /"],
    ["GET", "/orders/7", "GET /orders/{}"],
    ["GET", "/orders/new", "GET /orders/new"],
    ["GET", "/people/new", "GET /{}/new"],
    ["POST", "/orders/new", "POST /orders/{}"],
    ["GET", "/orders/7/lines/8", "GET /orders/{}/lines/{}"],
    ["GET", "/orders/{order_id}", "GET /orders/{}"],
    ["GET", "/orders/", undefined],
    ["GET", "/orders", undefined],
    ["DELETE", "/orders/7", undefined],
    ["GET", "/orders/7/", undefined],
  ] as const
) {
  Deno.test(`${method} ${path} → ${expected}`, () =>
    assert.equal(matchRoute(routes, method, path), expected));
}
