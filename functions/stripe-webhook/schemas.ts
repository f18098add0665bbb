import { z } from "@hono/zod-openapi";

const outcome = z.enum(["applied", "stale", "duplicate", "unlinked", "wrong_mode", "ignored"]).openapi({
  description:
    "`applied`: the state is stored. `stale`: a later one was. `duplicate`: the event was applied before. `unlinked`: " +
    "the customer is nobody's here. `wrong_mode`: the customer is of the other mode. `ignored`: nothing to store.",
});

export const received = z.object({ received: z.literal(true), outcome, changed: z.boolean() })
  .openapi("StripeEventReceived");

export const selection = z.object({
  ids: z.array(z.string().regex(/^evt_\w{1,200}$/)).min(1).max(1000).optional(),
  dead: z.boolean().optional().openapi({ description: "All that failed too often to be tried again." }),
  since: z.iso.datetime({ offset: true }).optional().openapi({
    description: "All that failed, or whose customer was nobody's, and were received since then.",
  }),
  after: z.string().optional().openapi({ description: "`next` of the answer before." }),
}).strict().refine(({ ids, dead, since }) => ids || dead || since, "ids, dead or since is needed")
  .openapi("StripeReplayInput");

export const replayed = z.object({
  events: z.array(z.object({
    id: z.string(),
    type: z.string(),
    outcome: z.enum([...outcome.options, "failed"]),
    changed: z.boolean(),
    reason: z.string().optional().openapi({ description: "Why it failed." }),
  })),
  next: z.string().nullable().openapi({ description: "There may be more after this one." }),
}).openapi("StripeReplay");
