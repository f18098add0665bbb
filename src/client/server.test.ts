import { expect, test, vi } from "vitest";
import { createUsageReporter, type RefusedReport, type UsageReporterOptions } from "./server.ts";
import { createFakeFetch } from "./testing.ts";

interface Sent {
  events: { idempotency_key: string; metric: string; quantity: number; occurred_at: string }[];
}

const taken = { accepted: 0, duplicates: 0, rejected: [] };

function connect(
  answer: (sent: Sent, turn: number) => Response,
  options: Partial<UsageReporterOptions> = {},
) {
  const sent: Sent[] = [];
  const errors: string[] = [];
  const refused: RefusedReport[] = [];
  const { fetch, requests } = createFakeFetch({
    "/functions/v1/api/usage": async (request) => {
      const body = (await request.clone().json()) as Sent;
      sent.push(body);
      return answer(body, sent.length);
    },
  });
  const reporter = createUsageReporter({
    url: "http://nectar.test",
    apiKey: "nk_test_x",
    fetch,
    onError: ({ code }) => errors.push(code),
    onRefused: (reports) => refused.push(...reports),
    ...options,
  });
  return { reporter, sent, errors, refused, requests };
}

test("reports go in batches, in their order, with the key", async () => {
  const { reporter, sent, requests } = connect(() => Response.json(taken), { batchSize: 2 });
  for (const quantity of [1, 2, 3, 4, 5]) reporter.report({ metric: "rows_read", quantity });
  expect(await reporter.close()).toBe(true);
  expect(sent.map(({ events }) => events.map(({ quantity }) => quantity))).toEqual([[1, 2], [3, 4], [5]]);
  expect(requests[0]?.headers.get("authorization")).toBe("Bearer nk_test_x");
  const keys = sent.flatMap(({ events }) => events.map(({ idempotency_key }) => idempotency_key));
  expect(new Set(keys).size).toBe(5);
});

test("what could not be sent is sent again as it was: same keys, same times", async () => {
  const { reporter, sent, errors } = connect((_, turn) =>
    turn < 3 ? new Response("", { status: turn === 1 ? 502 : 429 }) : Response.json(taken),
  );
  reporter.report({ metric: "rows_read" });
  expect(await reporter.flush()).toBe(false);
  reporter.report({ metric: "rows_written", quantity: 7, occurredAt: new Date("2026-11-23T00:00:00Z") });
  expect(await reporter.flush()).toBe(false);
  expect(await reporter.flush()).toBe(true);
  expect(errors).toEqual(["unexpected_answer", "unexpected_answer"]);
  expect(sent[1]?.events[0]).toEqual(sent[0]?.events[0]);
  expect(sent[2]).toEqual(sent[1]);
  expect(sent[2]?.events[1]).toMatchObject({ quantity: 7, occurred_at: "2026-11-23T00:00:00.000Z" });
  expect(await reporter.close()).toBe(true);
  expect(sent).toHaveLength(3);
});

test("a backend that is away loses nothing but what there is no room for", async () => {
  const reporter = createUsageReporter({
    url: "http://nectar.test",
    apiKey: "nk_test_x",
    capacity: 2,
    fetch: () => Promise.reject(new TypeError("fetch failed")),
  });
  expect([1, 2, 3].map(() => reporter.report({ metric: "rows_read" }))).toEqual([true, true, false]);
  expect(await reporter.close()).toBe(false);
  expect(reporter.report({ metric: "rows_read" })).toBe(false);
});

test("refused reports are told once, the others are done", async () => {
  const { reporter, sent, refused } = connect(() =>
    Response.json({ ...taken, rejected: [{ index: 1, reason: "invalid_metric" }] }),
  );
  reporter.report({ metric: "rows_read" });
  reporter.report({ metric: "No Metric" });
  expect(await reporter.close()).toBe(true);
  expect(refused).toEqual([{ report: { metric: "No Metric" }, reason: "invalid_metric" }]);
  expect(sent).toHaveLength(1);
});

test("a batch that is no use sending again is given back", async () => {
  const { reporter, refused } = connect(() =>
    Response.json({ error: { code: "validation_failed", message: "No.", request_id: "r" } }, { status: 400 }),
  );
  reporter.report({ metric: "rows_read", quantity: 3 });
  expect(await reporter.close()).toBe(true);
  expect(refused).toEqual([{ report: { metric: "rows_read", quantity: 3 }, reason: "validation_failed" }]);
});

test("a batch that is too large goes in smaller ones", async () => {
  const { reporter, sent, refused } = connect(({ events }) =>
    events.length > 2 ? new Response("", { status: 413 }) : Response.json(taken),
  );
  for (const quantity of [1, 2, 3, 4, 5]) reporter.report({ metric: "rows_read", quantity });
  expect(await reporter.close()).toBe(true);
  expect(sent.map(({ events }) => events.length)).toEqual([5, 3, 2, 2, 1]);
  expect(refused).toEqual([]);
});

test("it is sent by itself when the batch is full, and when the time has come", async () => {
  for (const options of [{ batchSize: 1 }, { maxDelayMs: 1 }]) {
    const arrived = Promise.withResolvers<Sent>();
    const { reporter } = connect((sent) => {
      arrived.resolve(sent);
      return Response.json(taken);
    }, options);
    reporter.report({ metric: "rows_read" });
    expect((await arrived.promise).events).toHaveLength(1);
    await reporter.close();
  }
});

test("a report that is no JSON is refused at once, and stops no other", async () => {
  const { reporter, sent, refused } = connect(() => Response.json(taken));
  const circle: Record<string, unknown> = {};
  circle["itself"] = circle;
  const impossible = [
    { metric: "rows_read", dimensions: circle },
    { metric: "rows_read", quantity: 1n as unknown as number },
    { metric: "rows_read", occurredAt: new Date("no day") },
  ];
  for (const report of impossible) expect(reporter.report(report)).toBe(false);
  const dimensions = { region: "eu" };
  expect(reporter.report({ metric: "rows_read", dimensions })).toBe(true);
  dimensions.region = "us";
  expect(await reporter.close()).toBe(true);
  expect(refused).toEqual(impossible.map((report) => ({ report, reason: "not_json" })));
  expect(sent.map(({ events }) => events)).toMatchObject([[{ dimensions: { region: "eu" } }]]);
});

test("a listener that throws stops nothing: the batch is tried again, and the rest goes", async () => {
  const thrown: unknown[] = [];
  const keep = (error: unknown) => void thrown.push(error);
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException").on("uncaughtException", keep);
  try {
    const broken = () => {
      throw new Error("the listener's own");
    };
    const { reporter, sent } = connect(
      (_, turn) =>
        turn === 1
          ? new Response("", { status: 503 })
          : Response.json({ ...taken, rejected: [{ index: 0, reason: "invalid_metric" }] }),
      { onError: broken, onRefused: broken, batchSize: 1 },
    );
    for (const metric of ["rows read", "rows_read"]) reporter.report({ metric });
    expect(await reporter.flush()).toBe(false);
    expect(await reporter.close()).toBe(true);
    expect(sent).toHaveLength(3);
    expect(thrown).toHaveLength(3);
  } finally {
    process.off("uncaughtException", keep);
    for (const listener of others) process.on("uncaughtException", listener);
  }
});

test.each([0, -1, 1.5, Number.NaN, 1001])("a batch of %s is none", (batchSize) => {
  expect(() => createUsageReporter({ url: "http://nectar.test", apiKey: "nk_test_x", batchSize })).toThrow(
    RangeError,
  );
});

test.each([undefined, "", "sb_publishable_1"])("a key that is %s is none", (apiKey) => {
  expect(() => createUsageReporter({ url: "http://nectar.test", apiKey: apiKey as string })).toThrow(
    TypeError,
  );
});

test("told to come again next month, it does not come at once", async () => {
  vi.useFakeTimers();
  try {
    const { reporter, sent } = connect((_, turn) =>
      turn === 1
        ? new Response("", { status: 429, headers: { "retry-after": String(31 * 86_400) } })
        : Response.json(taken),
    );
    reporter.report({ metric: "rows_read" });
    expect(await reporter.flush()).toBe(false);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sent).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(sent).toHaveLength(2);
  } finally {
    vi.useRealTimers();
  }
});

test("told to come again later, it waits, whatever is reported while a batch is under way", async () => {
  vi.useFakeTimers();
  try {
    const { reporter, sent } = connect(
      () => {
        reporter.report({ metric: "rows_read" });
        return new Response("", { status: 503, headers: { "retry-after": "60" } });
      },
      { maxDelayMs: 10 },
    );
    reporter.report({ metric: "rows_read" });
    expect(await reporter.flush()).toBe(false);
    await vi.advanceTimersByTimeAsync(59_000);
    expect(sent).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(sent).toHaveLength(2);
  } finally {
    vi.useRealTimers();
  }
});
