import { z } from "@hono/zod-openapi";

type Refine = Parameters<ReturnType<typeof z.unknown>["superRefine"]>[0];
interface Size {
  least?: number;
  most: number;
}

/** How the documentation says what a part is: by the name of a schema, or as it is. */
type Documented = string | { type: "string"; maxLength?: number; pattern?: string; format?: string };

const schemaOf = (documented: Documented) =>
  typeof documented === "string" ? { $ref: `#/components/schemas/${documented}` } : documented;

/**
 * Reports the first wrong part alone. What is none of six alternatives is told six times, in thousands of bytes for each
 * two that were sent: told of every part, a body of 1 MiB took gigabytes.
 */
const firstProblem =
  (problemsOf: (name: string | number, part: unknown) => z.core.$ZodIssue[]): Refine => (value, context) => {
    const parts = Array.isArray(value) ? value.entries() : Object.entries(value as object);
    for (const [name, part] of parts) {
      const problems = problemsOf(name, part);
      for (const problem of problems) {
        context.addIssue({ ...problem, path: [name, ...problem.path] } as never);
      }
      if (problems.length > 0) return;
    }
  };

const problemsOf = (schema: z.ZodType, value: unknown) => schema.safeParse(value).error?.issues ?? [];

/** As `z.array`, for what people nest. */
export const listOf = <T>(
  element: z.ZodType<T>,
  documented: Documented,
  { least, most }: Size,
): z.ZodType<T[]> => {
  const list = least === undefined ? z.array(z.unknown()) : z.array(z.unknown()).min(least);
  return list.max(most).superRefine(firstProblem((_, part) => problemsOf(element, part)))
    .openapi({ items: schemaOf(documented) }) as never;
};

/** As `z.record`, likewise. */
export const recordOf = <T>(
  key: z.ZodType<string>,
  value: z.ZodType<T>,
  documented: Documented,
): z.ZodType<Record<string, T>> =>
  z.record(z.string(), z.unknown())
    .superRefine(firstProblem((named, part) => [...problemsOf(key, named), ...problemsOf(value, part)]))
    .openapi({ additionalProperties: schemaOf(documented) }) as never;
