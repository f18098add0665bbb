import { z } from "@hono/zod-openapi";
import { uuid } from "../_shared/validation.ts";

export const pong = z.object({
  organization_id: uuid,
  application_id: uuid,
  key_id: uuid,
  environment: z.enum(["live", "test"]),
}).openapi("Pong", { description: "Whose key the request came with." });

const usageEvent = z.unknown().openapi("UsageEvent", {
  type: "object",
  properties: {
    idempotency_key: { type: "string", minLength: 1, maxLength: 128 },
    metric: { type: "string", maxLength: 64, example: "rows_read" },
    quantity: { type: "integer", minimum: 1, maximum: 1_000_000_000_000 },
    occurred_at: {
      type: "string",
      format: "date-time",
      description: "Default now. Up to 35 days ago, up to an hour ahead.",
    },
    dimensions: { type: "object", description: "Facts of your own, at most 1 KiB as stored." },
  },
  required: ["idempotency_key", "metric", "quantity"],
});

export const usageBatch = z.object({ events: z.array(usageEvent).min(1).max(1000) }).openapi("UsageBatch");

export const usageOutcome = z.object({
  accepted: z.number().int().openapi({ description: "Events that were counted now." }),
  duplicates: z.number().int().openapi({ description: "Events whose key was counted already." }),
  rejected: z.array(z.object({
    index: z.number().int().openapi({ description: "Place in the batch, from 0 on." }),
    reason: z.string().openapi({ example: "invalid_quantity" }),
  })),
}).openapi("UsageOutcome");

export type UsageOutcome = z.infer<typeof usageOutcome>;
