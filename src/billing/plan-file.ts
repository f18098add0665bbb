import { readFileSync } from "node:fs";
import { z } from "zod";
import { repository } from "../stack/repository.ts";

const limitValue = z.int().min(0).nullable();

/** In the currency's smallest unit; a fraction of it is text, of at most twelve digits. */
const rate = z
  .union([z.int().min(0).transform(String), z.string().regex(/^(0|[1-9]\d{0,11})(\.\d{1,12})?$/)])
  // as Stripe writes it: 0.50 is 0.5
  .transform((text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text));

const price = z.strictObject({
  interval: z.enum(["month", "year"]),
  currency: z.string().regex(/^[a-z]{3}$/, "expected three small letters, such as eur"),
  /** In the currency's smallest unit. */
  unit_amount: z.int().min(0),
  /** By metric: what one more costs, beyond what the plan's limit has of it. Billed when the period is over. */
  metered: z.record(z.string(), rate).default({}),
});

const planWords = z.strictObject({
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

export const plan = planWords.superRefine(checkOverage);

type GivenPlan = z.output<typeof planWords>;

/** The metrics of which a plan bills what goes beyond its limit: those of its limits `<metric>.per_month` with overage. */
const billedMetrics = ({ limits }: GivenPlan) =>
  Object.entries(limits)
    .filter(([, limit]) => typeof limit === "object" && limit?.overage)
    .map(([key]) => key.replace(/\.per_month$/, ""));

function checkOverage(given: GivenPlan, ctx: z.RefinementCtx<GivenPlan>): void {
  const complain = (message: string, path: PropertyKey[]) =>
    ctx.addIssue({ code: "custom", message, path, input: given });
  for (const [key, limit] of Object.entries(given.limits)) {
    if (typeof limit !== "object" || !limit?.overage) continue;
    if (given.kind === "addon") complain("an add-on bills nothing beyond it: its plan does", ["limits", key]);
    if (!key.endsWith(".per_month"))
      complain("only what is counted by the month is billed beyond", ["limits", key]);
    if (limit.value === null) complain("beyond no limit there is nothing to bill", ["limits", key]);
  }
  const billed = billedMetrics(given).toSorted().join();
  for (const [index, { metered }] of given.prices.entries()) {
    if (Object.keys(metered).toSorted().join() === billed) continue;
    complain("what is billed beyond its limit (overage) needs a price, and nothing else has one", [
      "prices",
      index,
      "metered",
    ]);
  }
}

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

export type Plan = GivenPlan;
export type PlanPrice = z.output<typeof price>;

const priceName = ({ interval, currency }: PlanPrice) => `${interval}_${currency}`;

/** What finds a plan's price at Stripe again: `pro_month_eur`. */
export const lookupKey = ({ key }: Pick<Plan, "key">, price: PlanPrice) => `${key}_${priceName(price)}`;

/** What one more of a metric costs, beside one of a plan's prices. */
export interface MeteredPrice {
  metric: string;
  /** In the currency's smallest unit, a decimal. */
  unit_amount: string;
  /** How much of it costs nothing in a period of this price. */
  included: number;
}

/** The metered prices that go with one of a plan's: for a year, with twelve times what the limit has for a month. */
export const meteredPrices = ({ limits }: Pick<Plan, "limits">, price: PlanPrice): MeteredPrice[] =>
  Object.entries(price.metered).map(([metric, unit_amount]) => {
    const limit = limits[`${metric}.per_month`];
    const value = typeof limit === "object" && limit !== null ? limit.value : limit;
    return { metric, unit_amount, included: (value ?? 0) * (price.interval === "year" ? 12 : 1) };
  });

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
