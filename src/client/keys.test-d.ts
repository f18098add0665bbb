// Checked by tsc, never run.
import { createApiClient, createNectarClient, createUsageReporter, type Limit } from "./index.ts";

const url = "http://127.0.0.1:54321";
const { keys, usage, limits } = createNectarClient({ url, publishableKey: "sb_publishable_x" });

export async function keysAreTyped() {
  const { data, error } = await keys.create("application", { name: "Server", scopes: ["usage.write"] });
  if (error) {
    if (error.code === "limit_reached" || error.code === "scope_above_own") return data satisfies null;
    // @ts-expect-error: a key that is made is not revoked
    return error.code === "api_key_revoked";
  }
  const id: string = data.api_key_id;
  // @ts-expect-error: there are two environments
  await keys.create("application", { name: "Server", scopes: [], environment: "staging" });
  // @ts-expect-error: a key has scopes
  await keys.create("application", { name: "Server" });
  // @ts-expect-error: seconds are a number
  await keys.rotate(id, { overlapSeconds: "1 day" });
  // @ts-expect-error: the application of a key does not change
  await keys.update(id, { applicationId: "other" });
  const { data: listed } = await keys.list("organization");
  // @ts-expect-error: a list has no secrets
  listed?.[0]?.secret;
  const scopes: string[] | undefined = listed?.[0]?.scopes;
  const cidrs: string[] | undefined = listed?.[0]?.allowed_cidrs;
  return [scopes, cidrs];
}

export async function usageIsTyped() {
  const question = { metric: "api_requests", from: "2026-11-01", to: "2026-12-01" };
  const { data, error } = await usage.summary("organization", { ...question, granularity: "hour" });
  if (error?.code === "too_many_buckets" || error?.code === "hours_not_kept") return null;
  // @ts-expect-error: there are no weeks
  await usage.summary("organization", { ...question, granularity: "week" });
  // @ts-expect-error: nor groups of members
  await usage.summary("organization", { ...question, groupBy: "member" });
  return data?.[0]?.quantity satisfies number | undefined;
}

export async function limitsAreTyped(): Promise<Limit["state"] | undefined> {
  const { data } = await limits.list("organization");
  const left: number | null | undefined = data?.[0]?.remaining;
  // @ts-expect-error: there is no such state
  if (data?.[0]?.state === "full") return undefined;
  return left === null ? "unlimited" : data?.[0]?.state;
}

export async function serversAreTyped() {
  const api = createApiClient({ url, apiKey: "nk_test_x" });
  const { data, error } = await api.GET("/api/ping");
  if (error) return error.code === "quota_exceeded";
  const environment: "live" | "test" = data.environment;
  // @ts-expect-error: an API key is for the data plane alone
  await api.GET("/health");
  // @ts-expect-error: a batch has events
  await api.POST("/api/usage", { body: {} });

  const reporter = createUsageReporter({ url, apiKey: "nk_test_x" });
  // @ts-expect-error: a metric is named
  reporter.report({ quantity: 1 });
  return [environment, reporter.report({ metric: "rows_read" }) satisfies boolean];
}
