import { readFileSync } from "node:fs";
import { z } from "zod";
import { repository } from "../stack/repository.ts";

const limitValue = z.int().min(0).nullable();

const price = z.strictObject({
  interval: z.enum(["month", "year"]),
  currency: z.string().regex(/^[a-z]{3}$/, "expected three small letters, such as eur"),
  /** In the currency's smallest unit. */
  unit_amount: z.int().min(0),
});

export const plan = z.strictObject({
  key: z.string().regex(/^[a-z0-9]+([_-][a-z0-9]+)*$/),
  kind: z.enum(["plan", "addon"]).default("plan"),
  name: z.string().min(1).max(80),
  description: z.string().max(500).default(""),
  position: z.int().default(0),
  features: z.array(z.string().max(200)).default([]),
  is_public: z.boolean().default(true),
  archived: z.boolean().default(false),
  seat_billing: z.enum(["included", "bought", "per_member"]).default("included"),
  grace_days: z.int().min(0).max(365).default(7),
  /** By key of `entitlement_keys`; null is no limit, `overage` a limit beyond which is billed. */
  limits: z.record(
    z.string(),
    z.union([limitValue, z.strictObject({ value: limitValue, overage: z.boolean() })]),
  ),
  prices: z.array(price),
});

const planFile = z
  .strictObject({ plans: z.array(plan) })
  .refine(
    ({ plans }) => new Set(plans.map(({ key }) => key)).size === plans.length,
    "a plan's key stands twice",
  )
  .refine(
    ({ plans }) => plans.every(({ prices }) => new Set(prices.map(priceName)).size === prices.length),
    "a plan has two prices of the same interval and currency",
  );

export type Plan = z.output<typeof plan>;
export type PlanPrice = z.output<typeof price>;

const priceName = ({ interval, currency }: PlanPrice) => `${interval}_${currency}`;

/** What finds a plan's price at Stripe again: `pro_month_eur`. */
export const lookupKey = ({ key }: Pick<Plan, "key">, price: PlanPrice) => `${key}_${priceName(price)}`;

/**
 * Reads the plans that are sold.
 *
 * @throws {Error} naming what is wrong, and where.
 */
export function readPlans(file = repository("src/billing/plans.json")): Plan[] {
  const parsed = planFile.safeParse(JSON.parse(readFileSync(file, "utf8")));
  if (!parsed.success) throw new Error(`${file} cannot be used:\n${z.prettifyError(parsed.error)}`);
  return parsed.data.plans;
}
