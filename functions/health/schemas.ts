import { z } from "@hono/zod-openapi";

const dependency = z.object({
  name: z.enum(["database", "auth", "rest", "mongodb"]),
  status: z.enum(["ok", "down", "absent"]).openapi({
    description: "`absent`: this backend is set up without it.",
  }),
  latency_ms: z.number().int().nonnegative().nullable().openapi({
    description: "How long the check took; null when there was nothing to check.",
  }),
  code: z.enum(["timeout", "unreachable", "unexpected_answer", "misconfigured"]).optional().openapi({
    description: "Why it is down.",
  }),
}).openapi("Dependency");

export const health = z.object({
  status: z.enum(["ok", "degraded"]).openapi({ description: "`degraded`: a dependency is down." }),
  version: z.string().openapi({ description: "The backend's version.", example: "0.1.0" }),
  dependencies: z.array(dependency).optional().openapi({
    description: "Only for callers with a secret key.",
  }),
}).openapi("Health", {
  example: {
    status: "ok",
    version: "0.1.0",
    dependencies: [
      { name: "database", status: "ok", latency_ms: 3 },
      { name: "mongodb", status: "absent", latency_ms: null },
    ],
  },
});

export type Dependency = z.infer<typeof dependency>;
export type DependencyName = Dependency["name"];
export type Health = z.infer<typeof health>;
