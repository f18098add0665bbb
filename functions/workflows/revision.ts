import { AppError } from "../_shared/errors.ts";

/** The ETag of a workflow: which revision of the draft, and how many versions there are. */
export const etagOf = ({ revision, latest_version }: { revision: number; latest_version: number }): string =>
  `"r${revision}.v${latest_version}"`;

/**
 * The revision that If-Match names. Publishing alone does not make it stale: what counts is the draft.
 *
 * @throws {AppError} `revision_required` when it is missing or `*`, `stale_revision` when it is no ETag of ours.
 */
export function requireRevision(ifMatch: string | undefined): number {
  if (!ifMatch || ifMatch.trim() === "*") throw new AppError("revision_required");
  // Proxies that compress make a weak tag of a strong one.
  const revision = ifMatch.trim().match(/^(?:W\/)?"r(\d{1,9})(?:\.v\d{1,9})?"$/)?.[1];
  if (revision === undefined) throw new AppError("stale_revision");
  return Number(revision);
}
