import type { components } from "../../types/functions.ts";
import type { OperatorsBackend } from "./operators-project.ts";

export type Selection = Omit<components["schemas"]["StripeReplayInput"], "after">;
type Page = components["schemas"]["StripeReplay"];

/**
 * Has the backend apply kept events once more, page by page, and tells what came of each.
 *
 * @returns How many were replayed, and how many of them failed again.
 * @throws {Error} when the backend refuses or does not answer.
 */
export async function replay(
  { url, secretKey }: OperatorsBackend,
  selection: Selection,
  say: (line: string) => void,
): Promise<{ replayed: number; failed: number }> {
  let replayed = 0;
  let failed = 0;
  for (let after: string | null | undefined; after !== null; ) {
    const page: Page = await ask(url, secretKey, { ...selection, ...(after && { after }) });
    for (const { id, type, outcome, changed, reason } of page.events) {
      replayed += 1;
      if (outcome === "failed") failed += 1;
      const sign = outcome === "failed" ? "✗" : "✓";
      say(`${sign} ${id}  ${type}  ${reason ?? outcome}${changed ? ", something changed" : ""}`);
    }
    after = page.next;
  }
  return { replayed, failed };
}

async function ask(url: string, secretKey: string, input: Selection & { after?: string }): Promise<Page> {
  const response = await fetch(`${url}/functions/v1/stripe-webhook/replay`, {
    method: "POST",
    headers: { apikey: secretKey, "content-type": "application/json" },
    body: JSON.stringify(input),
  });
  if (response.ok) return (await response.json()) as Page;
  const text = await response.text();
  const { error } = parse(text);
  throw new Error(`The backend answered ${response.status}: ${error?.message ?? text.slice(0, 200)}`);
}

function parse(text: string): { error?: { message?: string } } {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
