import { z } from "@hono/zod-openapi";
import { recordOf } from "./first-problem.ts";

/** Part of JSON Schema: what an answer looks like, for documentation and SDKs. No references, so that it ends. */
export interface OutputSchema {
  type: "object" | "array" | "string" | "integer" | "number" | "boolean" | "null";
  nullable?: boolean | undefined;
  description?: string | undefined;
  properties?: Record<string, OutputSchema> | undefined;
  required?: string[] | undefined;
  additional_properties?: boolean | undefined;
  items?: OutputSchema | undefined;
  enum?: (string | number | boolean | null)[] | undefined;
  format?: "date" | "date-time" | "uuid" | "email" | "uri" | undefined;
}

export const outputSchema: z.ZodType<OutputSchema> = z.lazy(() =>
  z.strictObject({
    type: z.enum(["object", "array", "string", "integer", "number", "boolean", "null"]),
    nullable: z.boolean().optional(),
    description: z.string().max(1000).optional(),
    properties: recordOf(z.string().min(1).max(200), outputSchema, "WorkflowOutputSchema").optional(),
    required: z.array(z.string().max(200)).max(500).optional(),
    additional_properties: z.boolean().optional(),
    items: outputSchema.optional(),
    enum: z.array(z.union([z.string().max(1000), z.number(), z.boolean(), z.null()])).min(1).max(200)
      .optional(),
    format: z.enum(["date", "date-time", "uuid", "email", "uri"]).optional(),
  })
).openapi("WorkflowOutputSchema") as never;
