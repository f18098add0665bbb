import { z } from "@hono/zod-openapi";
import { listOf, recordOf } from "./first-problem.ts";
import { identifier, scalar } from "./parameters.ts";

const pointerText = z.string().max(500)
  .regex(/^\/(parameters|steps|item)(\/([^~/]|~[01])*)*$/, "expected a pointer like /steps/orders/rows/0/id")
  .openapi({
    description: "A JSON pointer into what is known: /parameters, /steps/<id>, and /item inside `each`.",
  });

/** A value, said without code: a constant, a parameter, a pick, and objects and lists of these. */
export type Expression =
  | { value: string | number | boolean | null }
  | { parameter: string }
  | { pointer: string }
  | { object: Record<string, Expression> }
  | { array: Expression[] }
  | { each: string; as: Expression };

export const expression: z.ZodType<Expression> = z.lazy(() =>
  z.union([
    z.strictObject({ value: scalar }),
    z.strictObject({ parameter: identifier }),
    z.strictObject({ pointer: pointerText }),
    z.strictObject({ object: recordOf(z.string().min(1).max(200), expression, "WorkflowExpression") }),
    z.strictObject({ array: listOf(expression, "WorkflowExpression", { most: 1000 }) }),
    z.strictObject({ each: pointerText, as: expression }),
  ])
).openapi("WorkflowExpression") as never;

/** A value that can be bound: no object, no list. */
export const binding = z.union([
  z.strictObject({ value: scalar }),
  z.strictObject({ parameter: identifier }),
  z.strictObject({ pointer: pointerText }),
]).openapi("WorkflowBinding");

export type Binding = z.infer<typeof binding>;

/** What is bound to each name. */
export const bindings = recordOf(identifier, binding, "WorkflowBinding");

export const comparisons = [
  "equals",
  "not_equals",
  "less",
  "less_or_equal",
  "greater",
  "greater_or_equal",
] as const;

export type Condition =
  | { left: Binding; is: typeof comparisons[number]; right: Binding }
  | { left: Binding; is: "present" | "absent" }
  | { left: Binding; is: "one_of"; values: (string | number | boolean | null)[] }
  | { all: Condition[] }
  | { any: Condition[] }
  | { not: Condition };

/** What a branch asks of the data. */
export const condition: z.ZodType<Condition> = z.lazy(() =>
  z.union([
    z.strictObject({ left: binding, is: z.enum(comparisons), right: binding }),
    z.strictObject({ left: binding, is: z.enum(["present", "absent"]) }),
    z.strictObject({ left: binding, is: z.literal("one_of"), values: z.array(scalar).min(1).max(200) }),
    z.strictObject({ all: listOf(condition, "WorkflowCondition", { least: 1, most: 50 }) }),
    z.strictObject({ any: listOf(condition, "WorkflowCondition", { least: 1, most: 50 }) }),
    z.strictObject({ not: condition }),
  ])
).openapi("WorkflowCondition") as never;
