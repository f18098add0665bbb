import postgres from "postgres";
import { afterAll, beforeEach, expect, inject, test } from "vitest";
import { createUsageReporter, type RefusedReport } from "../../src/client/index.ts";
import { sameMonth } from "../support/month.ts";
import { must, signUp, uniqueSlug } from "../support/people.ts";

const project = inject("project");
const DAY = 86_400_000;
const sql = postgres(project.databaseUrl, { max: 1, onnotice() {} });
beforeEach(() => sameMonth());
afterAll(() => sql.end());

test("a server reports usage with its key, and the organization sees it at once", async () => {
  const ada = await signUp(project, "Ada");
  const grace = await signUp(project, "Grace");
  const { id } = must(await ada.organizations.create({ name: "Engines", slug: uniqueSlug("engines") }));
  const application = must(
    await ada.supabase
      .from("applications")
      .insert({ organization_id: id, name: "Mill", slug: "mill" })
      .select("id")
      .single(),
  );
  const key = must(await ada.keys.create(application.id, { name: "Server", scopes: ["usage.write"] }));

  const refused: RefusedReport[] = [];
  const connect = (apiKey: string) =>
    createUsageReporter({ url: project.url, apiKey, onRefused: (reports) => refused.push(...reports) });
  const reporter = connect(key.secret);
  reporter.report({ metric: "rows_read", quantity: 1200 });
  reporter.report({ metric: "rows_read", quantity: 34, occurredAt: new Date(Date.now() - DAY) });
  reporter.report({ metric: "rows_read", quantity: 5, idempotencyKey: "the same" });
  reporter.report({ metric: "rows_read", quantity: 5, idempotencyKey: "the same" });
  reporter.report({ metric: "api_requests", quantity: 8500 });
  reporter.report({ metric: "rows read" });
  reporter.report({ metric: "rows_read", dimensions: { typed_in: "\0\ud83d" } });
  expect(await reporter.close()).toBe(true);
  expect(refused).toMatchObject([
    { report: { metric: "rows read" }, reason: "invalid_metric" },
    { report: { metric: "rows_read" }, reason: "unstorable" },
  ]);

  const question = {
    metric: "rows_read",
    from: new Date(Date.now() - 2 * DAY).toISOString(),
    to: new Date(Date.now() + DAY).toISOString(),
    groupBy: "api_key" as const,
  };
  const buckets = must(await ada.usage.summary(id, question));
  expect(buckets.reduce((sum, { quantity }) => sum + quantity, 0)).toBe(1239);
  expect(new Set(buckets.map(({ group_id }) => group_id))).toEqual(new Set([key.api_key_id]));
  expect(must(await grace.usage.summary(id, question))).toEqual([]);

  const limits = must(await ada.limits.list(id));
  expect(limits.find(({ metric }) => metric === "api_requests")).toMatchObject({
    maximum: 10_000,
    used: 8500,
    remaining: 1500,
    state: "near",
  });
  expect(limits.find(({ metric }) => metric === "api_keys")).toMatchObject({ used: 1, period_start: null });
  expect(must(await grace.limits.list(id))).toEqual([]);

  const other = must(
    await ada.keys.create(application.id, { name: "Reader", scopes: ["applications.read"] }),
  );
  const unable = connect(other.secret);
  unable.report({ metric: "rows_read" });
  expect(await unable.close()).toBe(false);

  must({ data: true, error: (await ada.keys.revoke(key.api_key_id)).error });
  const revoked = connect(key.secret);
  revoked.report({ metric: "rows_read" });
  expect(await revoked.close()).toBe(false);
});
