import { z } from "@hono/zod-openapi";
import { outputSchema } from "./output-schema.ts";
import { identifier, parameter } from "./parameters.ts";
import { edge, step } from "./steps.ts";
import { trigger } from "./trigger.ts";

export const FORMAT = "nectar.workflow/1";
export const MAX_BYTES = 1024 * 1024;
export const MAX_STEPS = 500;

const cache = z.strictObject({
  ttl_seconds: z.int().min(1).max(86_400),
  stale_seconds: z.int().min(0).max(86_400).optional().openapi({
    description: "How long an answer past its time is still given while a new one is made.",
  }),
  vary_by: z.array(identifier).max(50).optional().openapi({ description: "Parameters. Default all." }),
  tags: z.array(z.string().regex(/^[\w:.-]{1,100}$/)).max(20).optional(),
}).openapi("WorkflowCache");

const limits = z.strictObject({
  timeout_ms: z.int().min(100).max(120_000).optional(),
  max_response_bytes: z.int().min(1).max(10_485_760).optional(),
  requests_per_minute: z.int().min(1).max(1_000_000).optional(),
}).openapi("WorkflowLimits");

/** One workflow, as people write it. What refers to something else in it is checked by `checkWorkflow`. */
export const workflowDefinition = z.strictObject({
  format: z.literal(FORMAT),
  description: z.string().max(5000).optional(),
  trigger,
  parameters: z.array(parameter).max(100).optional(),
  start: identifier.openapi({ description: "The first step." }),
  steps: z.array(step).min(1).max(MAX_STEPS),
  edges: z.array(edge).max(5000),
  output: outputSchema.optional(),
  cache: cache.optional(),
  limits: limits.optional(),
}).openapi("WorkflowDefinition");

export type WorkflowDefinition = z.infer<typeof workflowDefinition>;
