import type { MiddlewareHandler } from "hono";
import { depthOf, MAX_DEPTH, unkeepable } from "../_workflows/json-limits.ts";
import { pointerPath } from "../_workflows/issues.ts";
import { validationFailed } from "../_shared/validation.ts";

/** What stands around a workflow in a body: `{ file: { definition: … } }`. */
const AROUND = 2;

/** Refuses JSON that nests too deeply, before it is parsed, and what no document can keep, before anything walks it. */
export const boundedJson: MiddlewareHandler = async (c, next) => {
  const text = await c.req.text();
  if (depthOf(text) > MAX_DEPTH + AROUND) {
    throw validationFailed("json", [{ path: [], message: `nested deeper than ${MAX_DEPTH} levels` }]);
  }
  const issues = unkeepable(parse(text));
  if (issues.length > 0) {
    throw validationFailed("json", issues.map(({ path, message }) => ({ path: pointerPath(path), message })));
  }
  await next();
};

/** What is no JSON is the validator's to refuse. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
