import { z } from "@hono/zod-openapi";

const count = z.number().int().nonnegative();

const task = z.object({
  name: z.string().openapi({ example: "delete_expired_invitations" }),
  status: z.enum(["done", "failed"]),
  count: count.optional().openapi({ description: "How many things it made or deleted." }),
  sqlstate: z.string().optional().openapi({ description: "PostgreSQL's code of the failure." }),
}).openapi("MaintenanceTask");

const outbox = z.object({
  kind: z.string().openapi({ example: "organization.purged" }),
  status: z.enum(["done", "waiting", "failed", "unfinished"]).openapi({
    description:
      "`waiting`: this backend is set up without the store, and entries stay open. `failed`: some are tried again " +
      "later. `unfinished`: the call's time was up; the next one goes on.",
  }),
  completed: count,
  failed: count,
}).openapi("OutboxReport");

const job = z.object({
  name: z.string().openapi({ example: "reconcile_stripe" }),
  status: z.enum(["done", "waiting", "failed", "unfinished"]),
  count: count.openapi({ description: "How many things it changed." }),
}).openapi("MaintenanceJob");

export const report = z.object({
  status: z.enum(["ok", "degraded"]).openapi({ description: "`degraded`: something failed." }),
  skipped: z.boolean().openapi({ description: "True when another run's tasks were under way." }),
  tasks: z.array(task),
  outbox: z.array(outbox),
  jobs: z.array(job),
}).openapi("MaintenanceReport");

export type Task = z.infer<typeof task>;
export type OutboxReport = z.infer<typeof outbox>;
export type JobReport = z.infer<typeof job>;
export type Report = z.infer<typeof report>;
