import type Stripe from "stripe";

export const MINUTE = 60;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** `count` intervals after `start`, on the anchor's day of the month where the month has one. */
export function addInterval(
  start: number,
  { interval, interval_count }: Pick<Stripe.Price.Recurring, "interval" | "interval_count">,
  anchor = start,
): number {
  if (interval === "day") return start + interval_count * DAY;
  if (interval === "week") return start + interval_count * 7 * DAY;
  const from = new Date(start * 1000);
  const months = interval === "year" ? 12 * interval_count : interval_count;
  const lastDay = new Date(Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + months + 1, 0)).getUTCDate();
  from.setUTCDate(1);
  from.setUTCMonth(from.getUTCMonth() + months);
  from.setUTCDate(Math.min(new Date(anchor * 1000).getUTCDate(), lastDay));
  return from.getTime() / 1000;
}
