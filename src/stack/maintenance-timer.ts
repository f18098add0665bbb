import type { Stack } from "./stack.ts";

const EVERY_MS = 60_000;
const LIMIT_MS = 45_000;

/** Marks the timer's requests in the functions' logs: nobody asked for them, so nobody need read of them. */
export const TIMER_REQUEST_ID = "maintenance-timer";

interface MaintenanceReport {
  tasks: { name: string; status: string; sqlstate?: string }[];
  outbox: { kind: string; status: string }[];
}

/**
 * Calls functions/maintenance at once and then every minute, as a scheduler does on the platform. It keeps no process
 * alive. A problem is told once, until there is none or another.
 *
 * @returns Ends it.
 */
export function startMaintenanceTimer(
  { url, keys }: Pick<Stack, "url" | "keys">,
  onProblem: (problem: string) => void,
  everyMs = EVERY_MS,
): () => void {
  const ended = new AbortController();
  let told: string | undefined;
  let timer: NodeJS.Timeout | undefined;

  async function run() {
    const problem = await maintain(url, keys.secretKey, ended.signal);
    if (ended.signal.aborted) return;
    if (problem && problem !== told) onProblem(problem);
    told = problem;
    timer = setTimeout(run, everyMs).unref();
  }
  void run();

  return () => {
    ended.abort();
    clearTimeout(timer);
  };
}

/** What is wrong; undefined when all was done. */
async function maintain(url: string, secretKey: string, ended: AbortSignal): Promise<string | undefined> {
  try {
    const response = await fetch(`${url}/functions/v1/maintenance`, {
      method: "POST",
      headers: { apikey: secretKey, "x-request-id": TIMER_REQUEST_ID },
      signal: AbortSignal.any([ended, AbortSignal.timeout(LIMIT_MS)]),
    });
    if (!response.ok) return `Maintenance answered with status ${response.status}.`;
    const { tasks, outbox } = (await response.json()) as MaintenanceReport;
    const failed = [
      ...tasks.filter(({ status }) => status === "failed").map(({ name }) => name),
      ...outbox.filter(({ status }) => status === "failed").map(({ kind }) => `outbox ${kind}`),
    ];
    return failed.length > 0 ? `Maintenance failed at ${failed.join(", ")}.` : undefined;
  } catch (error) {
    return `Maintenance could not be run (${(error as Error).name}).`;
  }
}
