import { z } from "@hono/zod-openapi";

export const identifier = z.string().regex(/^[a-z][a-z0-9_]{0,62}$/, "expected a name like order_id");

export const scalar = z.union([z.string().max(10_000), z.number(), z.boolean(), z.null()]);

export const parameterTypes = [
  "string",
  "integer",
  "number",
  "boolean",
  "date",
  "datetime",
  "uuid",
  "json",
] as const;
export type ParameterType = typeof parameterTypes[number];

/** What a workflow is called with. */
export const parameter = z.strictObject({
  name: identifier,
  type: z.enum(parameterTypes),
  in: z.enum(["path", "query", "body"]).optional().openapi({
    description: "Where a request says it. Required for HTTP triggers.",
  }),
  required: z.boolean().optional().openapi({ description: "Default false. Those of the path always are." }),
  default: scalar.optional(),
  enum: z.array(scalar).min(1).max(200).optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  max_length: z.int().min(1).max(100_000).optional(),
  description: z.string().max(1000).optional(),
}).openapi("WorkflowParameter");

export type Parameter = z.infer<typeof parameter>;

const formats: Record<ParameterType, (value: unknown) => boolean> = {
  string: (value) => typeof value === "string",
  integer: (value) => Number.isSafeInteger(value),
  number: (value) => typeof value === "number",
  boolean: (value) => typeof value === "boolean",
  date: (value) => z.iso.date().safeParse(value).success,
  datetime: (value) => z.iso.datetime({ offset: true }).safeParse(value).success,
  uuid: (value) => z.guid().safeParse(value).success,
  json: () => true,
};

/** Whether a constant is of a parameter's type. */
export const fitsType = (type: ParameterType, value: unknown): boolean => formats[type](value);

/** Types of which one value is before another. */
export const isOrdered = (type: ParameterType): boolean => /^(integer|number|date|datetime)$/.test(type);
