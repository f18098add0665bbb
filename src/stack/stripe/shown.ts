import type Stripe from "stripe";
import { type Account, find } from "./account.ts";
import { invalid } from "./failure.ts";

const FIRST = 10;

type Answer = Partial<{
  object: string;
  data: Answer[];
  items: Stripe.ApiList<unknown>;
  lines: Stripe.ApiList<unknown>;
}>;

/** An object as the API shows it: of its items or lines the first ten, and a price without its tiers. */
export function shown<T extends object>(value: T): T {
  const { object, data, items, lines } = value as Answer;
  if (object === "subscription" && items) return { ...value, items: shortened(items) };
  if (object === "price") return withoutTiers(value) as T;
  if (object === "invoice" && lines) return { ...value, lines: shortened(lines) };
  if (data && (object === "list" || object === "search_result")) return { ...value, data: data.map(shown) };
  return value;
}

/** They are shown to those alone who ask for them. */
export function withoutTiers<T extends { tiers?: unknown }>({
  tiers: _tiers,
  ...price
}: T): Omit<T, "tiers"> {
  return price;
}

function shortened<T>(list: Stripe.ApiList<T>): Stripe.ApiList<T> {
  return list.data.length <= FIRST ? list : { ...list, data: list.data.slice(0, FIRST), has_more: true };
}

type Expandable = { [name: string]: unknown };

/** Puts objects where their ids are, at paths such as `data.customer` and `items.data.price.product`. */
export function expanded(account: Account, answer: object, paths: string[]): object {
  if (paths.length === 0) return answer;
  const copy = structuredClone(answer);
  for (const path of paths) expand(account, copy as Expandable, path.split("."), path);
  return copy;
}

function expand(account: Account, at: Expandable, [name = "", ...rest]: string[], path: string): void {
  if (name === "tiers" && at["object"] === "price") {
    const { tiers } = find(account.books.prices, "price", String(at["id"]));
    if (tiers) at["tiers"] = tiers;
    return;
  }
  if (!Object.hasOwn(at, name)) {
    throw invalid(`This property cannot be expanded (${path}).`, "expand");
  }
  if (typeof at[name] === "string") at[name] = structuredClone(shown(thingOf(account, at[name], path)));
  if (rest.length === 0) return;
  for (const next of Array.isArray(at[name]) ? at[name] : [at[name]]) {
    if (next) expand(account, next, rest, path);
  }
}

function thingOf(account: Account, id: string, path: string): object {
  const { books } = account;
  const kinds: Record<string, Record<string, object>> = {
    cus: books.customers,
    sub: books.subscriptions,
    in: books.invoices,
    pm: books.paymentMethods,
    prod: books.products,
    price: books.prices,
  };
  const things = kinds[id.split("_")[0] ?? ""];
  if (!things) throw invalid(`This property cannot be expanded (${path}).`, "expand");
  return find(things, "object", id);
}
