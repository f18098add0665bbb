import type Stripe from "stripe";
import type { z } from "zod";
import { invalid, missing } from "./failure.ts";
import { range, text, whole } from "./parameters.ts";

export const paging = { limit: whole, starting_after: text, ending_before: text };
export const created = { created: range };

const MOST = 100;
const USUAL = 10;

type Paging = { [Name in keyof typeof paging]?: z.infer<(typeof paging)[Name]> | undefined };

/**
 * One page of things that stand in their list's order.
 *
 * @throws {StripeFailure} 400 for a limit or a cursor that is none.
 */
export function page<T extends { id: string }>(
  things: T[],
  url: string,
  { limit = USUAL, starting_after, ending_before }: Paging,
): Stripe.ApiList<T> {
  if (limit < 1 || limit > MOST) throw invalid(`This value must be between 1 and ${MOST}.`, "limit");
  const cursor = starting_after ?? ending_before;
  const at = cursor === undefined ? -1 : things.findIndex(({ id }) => id === cursor);
  if (cursor !== undefined && at === -1) {
    throw missing("object", cursor, starting_after ? "starting_after" : "ending_before");
  }
  const first = ending_before ? Math.max(0, at - limit) : at + 1;
  const last = ending_before ? at : first + limit;
  return {
    object: "list",
    data: things.slice(first, last),
    has_more: ending_before ? first > 0 : last < things.length,
    url,
  };
}

/** The newest first, as lists are. */
export const newestFirst = <T>(things: Record<string, T>): T[] => Object.values(things).reverse();

type Range = z.infer<typeof range>;

export function within(at: number, limits: Range | undefined): boolean {
  const {
    gt,
    gte,
    lt,
    lte,
  }: {
    gt?: number | undefined;
    gte?: number | undefined;
    lt?: number | undefined;
    lte?: number | undefined;
  } = limits ?? {};
  return !(
    (gt !== undefined && at <= gt) ||
    (gte !== undefined && at < gte) ||
    (lt !== undefined && at >= lt) ||
    (lte !== undefined && at > lte)
  );
}
