import type Stripe from "stripe";
import type { Account } from "./account.ts";
import { invalid } from "./failure.ts";
import { newestFirst } from "./pages-of-lists.ts";
import { required, text, whole } from "./parameters.ts";
import { type Route, route } from "./route.ts";

/** As on Stripe, what was made a moment ago is not found yet: nobody may search where a read must be certain. */
const INDEXED_AFTER_SECONDS = 60;

interface Searchable {
  id: string;
  created: number;
  deleted?: unknown;
  metadata?: Stripe.Metadata | null;
}

export function searchRoutes(account: Account): Route[] {
  const { customers, subscriptions, invoices, products, prices } = account.books;
  const searchable: Record<string, () => Searchable[]> = {
    customers: () => newestFirst(customers).filter((one): one is Stripe.Customer => !one.deleted),
    subscriptions: () => newestFirst(subscriptions),
    invoices: () => newestFirst(invoices),
    products: () => newestFirst(products),
    prices: () => newestFirst(prices),
  };
  return Object.entries(searchable).map(([kind, all]) =>
    route("GET", `/${kind}/search`, { query: text, limit: whole, page: text }, (given) => {
      const matches = understand(required(given.query, "query"));
      const indexed = account.now() - INDEXED_AFTER_SECONDS;
      const found = all().filter((one) => one.created <= indexed && matches(one));
      const from = given.page ? Number(Buffer.from(given.page, "base64url")) : 0;
      const to = from + (given.limit ?? 10);
      return {
        object: "search_result",
        data: found.slice(from, to),
        has_more: to < found.length,
        next_page: to < found.length ? Buffer.from(String(to)).toString("base64url") : null,
        url: `/v1/${kind}/search`,
      } satisfies Stripe.ApiSearchResult<Searchable>;
    }),
  );
}

const clause =
  /^\s*(?:metadata\[(["'])(?<key>.+?)\1\]|(?<field>\w+))\s*:\s*(["'])(?<value>.*?)\4\s*(?:AND\s+|$)/i;

/** Clauses of equality, joined by AND: the part of Stripe's query language that is needed. */
function understand(query: string): (one: Searchable) => boolean {
  const clauses: ((one: Searchable) => boolean)[] = [];
  for (let rest = query; rest.trim() !== ""; ) {
    const { groups, 0: matched = "" } = clause.exec(rest) ?? {};
    if (!groups) throw invalid(`The stand-in does not understand this query: ${query}`, "query");
    const { key, field, value } = groups;
    clauses.push(
      (one) =>
        (key ? one.metadata?.[key] : (one as Record<string, unknown> & Searchable)[field ?? ""]) === value,
    );
    rest = rest.slice(matched.length);
  }
  return (one) => clauses.every((holds) => holds(one));
}
