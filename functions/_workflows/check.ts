import { MOST_ISSUES, shorten } from "../_shared/validation.ts";
import { checkGraph } from "./graph.ts";
import { type Issue, pointer } from "./issues.ts";
import { depthOf, MAX_DEPTH, unkeepable } from "./json-limits.ts";
import { checkReferences } from "./references.ts";
import { MAX_BYTES, type WorkflowDefinition, workflowDefinition } from "./workflow.ts";

export type Checked = { definition: WorkflowDefinition; issues?: never } | {
  definition?: never;
  issues: Issue[];
};

/** Checks the JSON text of a workflow: size and depth before it is parsed, then as `checkWorkflow`. */
export function checkWorkflowText(text: string): Checked {
  if (new TextEncoder().encode(text).length > MAX_BYTES) {
    return { issues: [{ path: "", message: "at most 1 MiB" }] };
  }
  if (depthOf(text) > MAX_DEPTH) {
    return { issues: [{ path: "", message: `nested deeper than ${MAX_DEPTH} levels` }] };
  }
  try {
    return checkWorkflow(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError) return { issues: [{ path: "", message: "not JSON" }] };
    throw error;
  }
}

/**
 * Whether parsed JSON, of bounded depth, is a workflow: its shape first, then whether its parts fit together. Tells up to
 * 50 problems at once.
 */
export function checkWorkflow(value: unknown): Checked {
  const kept = unkeepable(value);
  if (kept.length > 0) return { issues: kept };
  const parsed = workflowDefinition.safeParse(value);
  if (!parsed.success) return { issues: shapeIssues(parsed.error.issues) };
  const issues = checkParts(parsed.data);
  return issues.length > 0 ? { issues } : { definition: parsed.data };
}

/** Whether the parts of a definition fit together. */
export const checkParts = (definition: WorkflowDefinition): Issue[] =>
  [...checkGraph(definition), ...checkReferences(definition)].slice(0, MOST_ISSUES);

interface ZodIssue {
  code?: string | undefined;
  path: PropertyKey[];
  message: string;
  /** Of a choice: each alternative's. */
  errors?: ZodIssue[][];
  /** Of a key: the key's own. */
  issues?: ZodIssue[];
}

/** zod's issues with pointers for paths. Of a choice, those of the alternative that comes closest. */
export function shapeIssues(issues: readonly unknown[], base: readonly PropertyKey[] = []): Issue[] {
  return (issues as readonly ZodIssue[]).slice(0, MOST_ISSUES).flatMap((issue) => {
    const path = [...base, ...issue.path];
    const closest = issue.code === "invalid_union" ? closestOf(issue.errors ?? []) : undefined;
    if (closest) return shapeIssues(closest, path);
    if (issue.code === "invalid_key") return shapeIssues(issue.issues ?? [], path);
    return [{ path: pointer(...path), message: shorten(issue.message) }];
  }).slice(0, MOST_ISSUES);
}

/** The alternative of which all keys are known, if one is: then the value was meant to be that. */
function closestOf(alternatives: readonly ZodIssue[][]): ZodIssue[] | undefined {
  const meant = alternatives.filter((issues) =>
    !issues.some(({ code, path }) =>
      (code === "unrecognized_keys" || code === "invalid_type") && path.length === 0
    ) &&
    issues.some(({ code, path }) => code !== "invalid_type" || path.length > 1)
  );
  return meant.length === 1 ? meant[0] : undefined;
}
