import canonicalize from "canonicalize";
import { hashOf } from "../_workflows/content.ts";
import { depthOf, MAX_DEPTH, unkeepable } from "../_workflows/json-limits.ts";
import { refused } from "./refused.ts";

/** What an answer depends on: whose, of which version, to which parameters. Never a URL, which says less and more. */
export interface CacheKey {
  workflow_id: string;
  workflow_version: number;
  /** As they were understood: typed, with defaults, without what the workflow does not vary by. */
  parameters: Record<string, unknown>;
}

/**
 * The name of an entry. Parameters in another order, or numbers written otherwise, are the same (RFC 8785).
 *
 * @throws {AppError} `validation_failed` for what has no canonical form.
 */
export async function cacheId(
  organizationId: string,
  { workflow_id, workflow_version, parameters }: CacheKey,
): Promise<string> {
  if (typeof workflow_id !== "string" || !/^[\da-f-]{36}$/i.test(workflow_id)) {
    throw refused("workflow_id", "expected a UUID");
  }
  if (!Number.isSafeInteger(workflow_version) || workflow_version < 1) {
    throw refused("workflow_version", "expected a version's number");
  }
  return `${organizationId}:${workflow_id.toLowerCase()}:${workflow_version}:${await hashOf(
    canonical(parameters),
  )}`;
}

function canonical(parameters: unknown): string {
  const isObject = typeof parameters === "object" && parameters !== null && !Array.isArray(parameters);
  if (!isObject || depthOf(JSON.stringify(parameters)) > MAX_DEPTH || unkeepable(parameters).length > 0) {
    throw refused("parameters", "expected an object of JSON values");
  }
  return canonicalize(parameters) ?? "";
}
