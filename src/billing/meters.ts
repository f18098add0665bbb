import type Stripe from "stripe";
import type { Change } from "./catalog.ts";
import type { Plan } from "./plan-file.ts";

/** Stripe's active meters by the name of their events, which is the metric. */
export type Meters = Map<string, Stripe.Billing.Meter>;

/** How `stripe.meter` messages are to be read: see functions/maintenance/report-meter.ts. */
const SETTINGS = {
  default_aggregation: { formula: "sum" },
  customer_mapping: { type: "by_id", event_payload_key: "stripe_customer_id" },
  value_settings: { event_payload_key: "value" },
} as const satisfies Partial<Stripe.Billing.MeterCreateParams>;

/**
 * What must change at Stripe so that it counts what the plans bill by usage. Each change that is made adds its meter to
 * `meters`. None is ever switched off: what was bought stays billed by it. See https://docs.stripe.com/api/billing/meter
 *
 * @returns The active meters, and the changes.
 * @throws {Error} when a meter counts otherwise than usage is reported: that cannot be changed at Stripe.
 */
export async function meterChanges(
  stripe: Stripe,
  plans: Plan[],
): Promise<{ meters: Meters; changes: Change[] }> {
  const all: Stripe.Billing.Meter[] = [];
  for await (const meter of stripe.billing.meters.list({ limit: 100 })) all.push(meter);
  const meters: Meters = new Map(
    all.filter(({ status }) => status === "active").map((meter) => [meter.event_name, meter]),
  );
  const changes: Change[] = [];
  for (const metric of metricsOf(plans)) {
    const active = meters.get(metric);
    if (active) {
      if (!counts(active)) throw new Error(otherwise(active));
      continue;
    }
    const inactive = all.find((meter) => meter.event_name === metric && counts(meter));
    changes.push({
      line: `${inactive ? "~" : "+"} meter ${metric}${inactive ? ": active again" : ""}`,
      async make() {
        const meter = await (inactive
          ? stripe.billing.meters.reactivate(inactive.id)
          : stripe.billing.meters.create({ display_name: metric, event_name: metric, ...SETTINGS }));
        meters.set(metric, meter);
      },
    });
  }
  return { meters, changes };
}

const metricsOf = (plans: Plan[]) =>
  new Set(
    plans
      .filter(({ archived }) => !archived)
      .flatMap(({ prices }) => prices.flatMap(({ metered }) => Object.keys(metered))),
  );

const counts = (meter: Stripe.Billing.Meter) =>
  meter.default_aggregation.formula === SETTINGS.default_aggregation.formula &&
  meter.customer_mapping.event_payload_key === SETTINGS.customer_mapping.event_payload_key &&
  meter.value_settings.event_payload_key === SETTINGS.value_settings.event_payload_key &&
  meter.event_time_window === null;

const otherwise = ({ id, event_name }: Stripe.Billing.Meter) =>
  `The meter ${id} at Stripe has the event name ${event_name}, and does not add up the values of its events\n` +
  '  (sum of "value" by "stripe_customer_id", raw events). Deactivate it there, then synchronize again.';
