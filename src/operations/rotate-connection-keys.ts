// Wraps every organization's key by the current master key: `npm run connections:rotate`, with SUPABASE_URL and
// SUPABASE_SECRET_KEY. Interrupted, it is run again.
import process from "node:process";

/** What one call of `POST /connections/keys/rotate` did. */
export interface RotatedBatch {
  master_key: string;
  rewrapped: number;
  unreadable: number;
  next: string | null;
}

/** @throws {Error} with the backend's own sentence, when it refuses. */
export async function rotateConnectionKeys(
  rotate: (after: string | null) => Promise<RotatedBatch>,
  onBatch: (batch: RotatedBatch) => void = () => {},
): Promise<Omit<RotatedBatch, "next">> {
  const total = { master_key: "", rewrapped: 0, unreadable: 0 };
  let after: string | null = null;
  do {
    const batch: RotatedBatch = await rotate(after);
    onBatch(batch);
    total.master_key = batch.master_key;
    total.rewrapped += batch.rewrapped;
    total.unreadable += batch.unreadable;
    after = batch.next;
  } while (after);
  return total;
}

function rotateBy(url: string, secretKey: string) {
  return async (after: string | null): Promise<RotatedBatch> => {
    const response = await fetch(`${url}/functions/v1/connections/keys/rotate`, {
      method: "POST",
      headers: { apikey: secretKey, "content-type": "application/json" },
      body: JSON.stringify(after ? { after } : {}),
    });
    const body = (await response.json().catch(() => ({}))) as RotatedBatch & { error?: { message: string } };
    if (!response.ok) throw new Error(body.error?.message ?? `The backend answered ${response.status}.`);
    return body;
  };
}

if (import.meta.main) {
  const { SUPABASE_URL: url, SUPABASE_SECRET_KEY: secretKey } = process.env;
  if (!url || !secretKey) {
    console.error("Set SUPABASE_URL and SUPABASE_SECRET_KEY: the project whose keys are rotated.");
    process.exit(2);
  }
  try {
    const { master_key, rewrapped, unreadable } = await rotateConnectionKeys(
      rotateBy(url, secretKey),
      (batch) => console.log(`${batch.rewrapped} wrapped by ${batch.master_key}`),
    );
    console.log(`All are wrapped by ${master_key}: ${rewrapped} now, ${unreadable} could not be read.`);
    if (unreadable > 0) {
      console.error("Keep the old master key, or put back the one that is missing, and run this again.");
      process.exitCode = 1;
    }
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
