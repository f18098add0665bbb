import { z } from "zod";
import { invalid } from "./failure.ts";
import type { Form } from "./form.ts";

export const text = z.string().min(1);
export const whole = z
  .string()
  .regex(/^-?\d+$/, "Invalid integer")
  .transform(Number);
/** Of money, with at most twelve digits of a fraction. */
export const fraction = z.string().regex(/^\d+(\.\d{1,12})?$/, "Invalid decimal");
export const flag = z.enum(["true", "false"]).transform((value) => value === "true");
export const metadata = z.union([z.literal("").transform(() => ({})), z.record(z.string(), z.string())]);

/** `""` is how a form says null. */
export const orUnset = <T extends z.ZodType>(type: T) => z.union([z.literal("").transform(() => null), type]);

export const list = <T extends z.ZodType>(type: T) =>
  z
    .union([
      z.literal("").transform(() => []),
      z.record(z.string(), z.unknown()).transform((form) => Object.values(form)),
    ])
    .pipe(z.array(type));

export const range = z.union([
  whole.transform((at) => ({ gte: at, lte: at })),
  z.strictObject({ gt: whole, gte: whole, lt: whole, lte: whole }).partial(),
]);

/** What every request may have. */
const common = { expand: list(text).optional() };

export const parameters = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject({ ...shape, ...common }).partial();

/** @throws {StripeFailure} 400 for a parameter that is unknown here, as Stripe does, or malformed. */
export function read<T>(type: z.ZodType<T>, form: Form): T {
  const parsed = type.safeParse(form);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = [
    ...(issue?.path ?? []),
    ...(issue?.code === "unrecognized_keys" ? [issue.keys[0] ?? ""] : []),
  ];
  const param = path.map((name, index) => (index === 0 ? String(name) : `[${String(name)}]`)).join("");
  throw issue?.code === "unrecognized_keys"
    ? invalid(`Received unknown parameter: ${param}`, param, "parameter_unknown")
    : invalid(`${issue?.message}: ${param}`, param, "parameter_invalid");
}

/** @throws {StripeFailure} 400 when it is not there. */
export function required<T>(value: T | null | undefined, param: string): T {
  if (value === undefined || value === null) {
    throw invalid(`Missing required param: ${param}.`, param, "parameter_missing");
  }
  return value;
}
