import { z } from "@hono/zod-openapi";
import { type ErrorCode, errorCodes } from "./errors.ts";

const errorBody = z.object({
  error: z.object({
    code: z.enum(Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]]).openapi({
      description: "Stable name of what went wrong: switch on this.",
    }),
    message: z.string().openapi({ description: "A sentence for a person: what to do about it." }),
    details: z.record(z.string(), z.unknown()).optional().openapi({ description: "Facts for a program." }),
    request_id: z.string().openapi({ description: "Names the request in the logs, as x-request-id does." }),
  }),
}).openapi("Error", {
  example: {
    error: {
      code: "missing_credentials",
      message: errorCodes.missing_credentials.message,
      request_id: "0b9f2f9e-6a3c-4b69-9d4b-6f2f8f0f6a11",
    },
  },
});

interface ErrorResponse {
  description: string;
  content: { "application/json": { schema: typeof errorBody } };
}

/** The `responses` of a route for the errors it may answer with, besides the 500 that any route may. */
export function errorResponses<Code extends ErrorCode>(
  ...codes: Code[]
): Record<(typeof errorCodes)[Code | "internal"]["status"], ErrorResponse> {
  const byStatus = Map.groupBy([...codes, "internal" as const], (code) => errorCodes[code].status);
  return Object.fromEntries(
    Array.from(byStatus, ([status, group]) => [status, {
      description: group.map((code) => `\`${code}\`: ${errorCodes[code].message}`).join("\n"),
      content: { "application/json": { schema: errorBody } },
    }]),
  ) as Record<(typeof errorCodes)[Code | "internal"]["status"], ErrorResponse>;
}

/** What `withApiKey` may answer with. */
export const apiKeyErrors = [
  "missing_credentials",
  "invalid_key",
  "expired",
  "revoked",
  "payment_required",
  "forbidden_scope",
  "forbidden_ip",
  "forbidden_origin",
  "organization_closed",
  "rate_limited",
  "quota_exceeded",
  "database_unavailable",
] as const satisfies ErrorCode[];
