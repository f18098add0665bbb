import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { ProjectKeys } from "./keys.ts";
import { startMaintenanceTimer } from "./maintenance-timer.ts";

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0)) await end();
});

const keys = { secretKey: "sb_secret_1" } as ProjectKeys;

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  endings.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const report = (failed: string[]) =>
  JSON.stringify({ tasks: failed.map((name) => ({ name, status: "failed" })), outbox: [] });

test("runs at once and then again, with the secret key", async () => {
  const calls: string[] = [];
  const { promise: twice, resolve } = Promise.withResolvers<void>();
  const url = await serve((request, response) => {
    calls.push(`${request.method} ${request.url} ${request.headers["apikey"]}`);
    response.end(report([]));
    if (calls.length === 2) resolve();
  });
  endings.push(startMaintenanceTimer({ url, keys }, (problem) => expect.fail(problem), 1));
  await twice;
  expect(calls[0]).toBe("POST /functions/v1/maintenance sb_secret_1");
});

test("a problem is told once, and again when it comes back or is another", async () => {
  const answers = [report(["a"]), report(["a"]), report(["b"]), report([]), report(["b"]), "not JSON"];
  const problems: string[] = [];
  const { promise: all, resolve } = Promise.withResolvers<void>();
  const url = await serve((_, response) => response.end(answers.shift() ?? "not JSON"));
  const onProblem = (problem: string) => {
    problems.push(problem);
    if (problems.length === 4) resolve();
  };
  endings.push(startMaintenanceTimer({ url, keys }, onProblem, 1));
  await all;
  expect(problems).toEqual([
    "Maintenance failed at a.",
    "Maintenance failed at b.",
    "Maintenance failed at b.",
    "Maintenance could not be run (SyntaxError).",
  ]);
});

test("a backend that refuses or is away is a problem, not a crash", async () => {
  const url = await serve((_, response) => response.writeHead(503).end());
  for (const [where, expected] of [
    [url, "Maintenance answered with status 503."],
    ["http://127.0.0.1:1", "Maintenance could not be run (TypeError)."],
  ] as const) {
    const { promise, resolve } = Promise.withResolvers<string>();
    endings.push(startMaintenanceTimer({ url: where, keys }, resolve));
    expect(await promise).toBe(expected);
  }
});
