import { createServer } from "node:net";
import { expect } from "vitest";
import type { FailureCode, TlsReason } from "../../functions/connections/failures.ts";
import type { TdsServerOptions } from "../support/tds/server.ts";
import type { RunAnswer } from "./runtimes.ts";

export const version = "16.0.4100.1";

/** What a connection test asks of SQL Server. */
export const serverAnswers: NonNullable<TdsServerOptions["answers"]> = [
  [
    /ProductVersion/,
    { columns: ["version", "edition", "engine"], rows: [[version, "Developer Edition (64-bit)", 3]] },
  ],
];

/** The engine said why, in the closed set, and left nothing behind. */
export function expectFailure(answer: RunAnswer, code: FailureCode, reason?: TlsReason): void {
  expect(answer.thrown).toBeUndefined();
  expect(answer.unheard).toEqual([]);
  expect(answer.failure).toMatchObject({ code, ...(reason && { reason }) });
}

export function expectSuccess(answer: RunAnswer): void {
  expect(answer).toMatchObject({ unheard: [] });
  expect(answer.failure ?? answer.thrown).toBeUndefined();
}

/** Counts those who come, and says nothing. */
export async function startDecoy() {
  let visitors = 0;
  const server = createServer((socket) => {
    visitors++;
    socket.resume();
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    port,
    visitors: () => visitors,
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
