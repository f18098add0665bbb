import { badValue, failure, notSupported } from "../errors.ts";
import { inverted, keyOf } from "../keys.ts";
import { partsOf, sortValue } from "../paths.ts";
import type { Collection } from "../storage/catalog.ts";
import type { Records, StoredDocument } from "../storage/records.ts";
import { type Document, decode, isDocument, isNumber, toNumber } from "../values.ts";
import { expressionOf } from "./expressions.ts";
import { type MatchContext, type Matcher, matcherOf } from "./match.ts";
import { type Plan, planOf } from "./plan.ts";
import { schemaMatcher } from "./schema.ts";
import { matchesText, parseSearch, textScore } from "./text.ts";

export interface FindOptions {
  sort?: Document | undefined;
  skip?: number | undefined;
  limit?: number | undefined;
  hint?: unknown;
  /** What `$$name` stands for in `$expr`. */
  variables?: Document | undefined;
  /** Called now and then: throws when the time is up. */
  checkTime?: (() => void) | undefined;
}

/** A document that was found; decoded when the search had to. */
export interface Found extends StoredDocument {
  document?: Document;
}

export const documentOf = (found: Found): Document => (found.document ??= decode(found.bytes));

/** A find, ready to run. */
export interface Find {
  plan: Plan;
  results(): Found[];
  /** Of `$text`: how well a document fits. */
  score: ((document: Document) => number) | undefined;
}

/** What filters may refer to: `$expr`, `$jsonSchema`. */
export const filterContext = (variables?: Document): MatchContext => ({
  expression: (expression) => expressionOf(expression, variables),
  schema: schemaMatcher,
});

/** @throws {MongoError} for filters, sorts and hints that cannot be answered. */
export function prepareFind(
  records: Records,
  collection: Collection | undefined,
  filter: Document,
  options: FindOptions = {},
): Find {
  const { skip = 0, limit = 0, hint, checkTime = () => {} } = options;
  const weights = collection?.indexes.find(({ spec }) => spec.weights)?.spec.weights;
  const search = filter["$text"] === undefined ? undefined : parseSearch(filter["$text"]);
  if (search && !weights) throw failure(27, "text index required for $text query");
  const text: Matcher | undefined =
    search && weights && ((document) => matchesText(document, search, weights));
  const score = search && weights && ((document: Document) => textScore(document, search, weights));

  const order = sortOf(options.sort);
  const matches = matcherOf(filter, { ...filterContext(options.variables), ...(text && { text }) });
  const byScore = order.some(([, direction]) => direction === "score");
  if (byScore && !score) throw failure(40218, "query requires text score metadata, but it is not available");
  const plan = collection
    ? planOf(collection, filter, byScore ? [["", 1]] : (order as [string, 1 | -1][]), hint)
    : { scans: [], backwards: false, exact: true, sorted: true };
  const most = limit === 0 ? Number.POSITIVE_INFINITY : limit;

  return {
    plan,
    score,
    results() {
      if (!collection) return [];
      const found: Found[] = [];
      const enough = plan.sorted ? skip + most : Number.POSITIVE_INFINITY;
      let looked = 0;
      for (const each of candidates(records, collection, plan)) {
        if ((++looked & 255) === 0) checkTime();
        if (!plan.exact && !matches(documentOf(each))) continue;
        found.push(each);
        if (found.length >= enough) break;
      }
      const sorted = plan.sorted ? found : inOrder(found, order, score);
      return skip === 0 && sorted.length <= most ? sorted : sorted.slice(skip, skip + most);
    },
  };
}

function* candidates(records: Records, collection: Collection, plan: Plan): Generator<Found> {
  if (!plan.scans) return yield* records.all(collection, plan.backwards);
  // An array may bring a document more than once, and so may the branches of an $or.
  const repeats = plan.scans.length > 1 || plan.scans.some(({ index }) => index.multikey);
  const seen = new Set<number>();
  for (const { index, from, to } of plan.scans) {
    for (const each of records.between(collection, index, from, to, plan.backwards)) {
      if (repeats) {
        if (seen.has(each.record)) continue;
        seen.add(each.record);
      }
      yield each;
    }
  }
}

/** How many documents there are, from the index alone where that can tell. */
export function count(
  records: Records,
  collection: Collection | undefined,
  filter: Document,
  options: FindOptions,
): number {
  const find = prepareFind(records, collection, filter, options);
  if (!collection) return 0;
  const { skip = 0, limit = 0 } = options;
  const all =
    Object.keys(filter).length === 0
      ? records.countAll(collection)
      : find.plan.exact && find.plan.scans
        ? find.plan.scans.reduce((sum, { index, from, to }) => sum + records.countBetween(index, from, to), 0)
        : undefined;
  if (all === undefined) return find.results().length;
  return Math.max(0, Math.min(all - skip, limit === 0 ? all : limit));
}

type Order = [path: string, direction: 1 | -1 | "score"][];

/** @throws {MongoError} for what is no order. */
export function sortOf(sort: Document | undefined): Order {
  if (sort === undefined) return [];
  if (!isDocument(sort)) throw failure(14, "Expected the sort to be an object");
  const order: Order = Object.keys(sort).map((path) => {
    const value: unknown = sort[path];
    if (isDocument(value)) {
      if (value["$meta"] === "textScore") return [path, "score"];
      throw notSupported(`A sort by ${JSON.stringify(value)}`);
    }
    const direction = isNumber(value) ? toNumber(value) : 0;
    if (direction !== 1 && direction !== -1) {
      throw failure(15975, "$sort key ordering must be 1 (for ascending) or -1 (for descending)");
    }
    if (path === "$natural") return [path, direction];
    if (partsOf(path).some((part) => part === "" || part.startsWith("$"))) {
      throw failure(16410, `FieldPath field names may not be empty or start with '$': ${path}`);
    }
    return [path, direction];
  });
  if (order.some(([path]) => path === "$natural")) {
    if (order.length > 1) throw badValue("cannot sort by $natural and another field");
    throw notSupported("A sort by $natural; as a hint it");
  }
  return order;
}

/** The documents in order, those that are equal as they came. */
function inOrder(found: Found[], order: Order, score?: (document: Document) => number): Found[] {
  return sortBy(found, documentOf, order, score);
}

export function sortBy<T>(
  items: T[],
  documentOf: (item: T) => Document,
  order: Order,
  score?: (document: Document) => number,
): T[] {
  const keyed = items.map((item) => {
    const document = documentOf(item);
    const parts = order.map(([path, direction]) => {
      if (direction === "score") return keyOf(-(score?.(document) ?? 0));
      const key = keyOf(sortValue(document, path, direction));
      return direction < 0 ? inverted(key) : key;
    });
    return { item, key: parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts) };
  });
  return keyed.sort((a, b) => Buffer.compare(a.key, b.key)).map(({ item }) => item);
}
