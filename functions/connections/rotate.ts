import { AppError } from "../_shared/errors.ts";
import type { SecretBox, WrappedKey } from "../_shared/secret-box.ts";
import type { KeyRing } from "./backend.ts";

/** What one batch of a rotation did. */
export interface RotatedBatch {
  master_key: string;
  rewrapped: number;
  unreadable: number;
  next: string | null;
}

/**
 * Wraps a batch of organizations' keys anew, by the current master key. The batch is written at once or not at all:
 * what is interrupted is done again, and what is done is not.
 */
export async function rotateBatch(
  box: SecretBox,
  keyRing: KeyRing,
  after: string | undefined,
  limit: number,
): Promise<RotatedBatch> {
  const master_key = await box.currentMasterKeyId();
  const found = await keyRing.toRewrap(master_key, after, limit);
  const rewrapped: WrappedKey[] = [];
  for (const key of found) {
    try {
      rewrapped.push(await box.rewrap(key));
    } catch (error) {
      // One that nobody can read must not keep the others from it.
      if (!(error instanceof AppError)) throw error;
    }
  }
  const written = rewrapped.length > 0 ? await keyRing.rewrapped(rewrapped) : 0;
  return {
    master_key,
    rewrapped: written,
    unreadable: found.length - rewrapped.length,
    next: found.length < limit ? null : found.at(-1)?.organizationId ?? null,
  };
}
