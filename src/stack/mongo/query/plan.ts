// Chooses the index that a query goes through. What it finds is still tested against the whole filter, unless the
// index alone answers it: a plan may be slow, never wrong.
import { BSONRegExp, Code } from "bson";
import { badValue } from "../errors.ts";
import { equal, inverted, keyOf, nameOf, successor, Tag, tagOf } from "../keys.ts";
import type { Collection, Index } from "../storage/catalog.ts";
import { type Document, isDocument, isNumber, toNumber } from "../values.ts";
import { isOperators, matcherOf } from "./match.ts";
import { parseSearch } from "./text.ts";

/** A stretch of an index: from a key, to before another. */
export interface Scan {
  index: Index;
  from: Uint8Array;
  to: Uint8Array | undefined;
}

export interface Plan {
  /** Undefined: every document is looked at. */
  scans: Scan[] | undefined;
  backwards: boolean;
  /** The index answers the whole filter. */
  exact: boolean;
  /** The documents come in the order of the sort. */
  sorted: boolean;
}

type Sort = [path: string, direction: 1 | -1][];

/** What the filter says of one field. */
interface Condition {
  /** It is one of these. */
  points?: unknown[];
  /** Or in this range of values of one type. */
  lower?: { value: unknown; inclusive: boolean };
  upper?: { value: unknown; inclusive: boolean };
}

interface Conditions {
  fields: Map<string, Condition>;
  /** Nothing but points is asked for. */
  complete: boolean;
}

const MOST_POINTS = 2_000;
const EVERYTHING = Buffer.alloc(0);

export function planOf(collection: Collection, filter: Document, sort: Sort, hint?: unknown): Plan {
  const forced = hint === undefined ? undefined : hinted(collection, hint);
  if (forced === "natural") return scanAll(sort, naturalDirection(hint));
  const text = collection.indexes.find(({ spec }) => spec.weights);
  if (filter["$text"] !== undefined && text) return textPlan(text, filter);

  const conditions = conditionsOf(filter);
  let best: { plan: Plan; score: number } | undefined;
  for (const index of forced ? [forced] : collection.indexes) {
    const candidate = index.spec.weights
      ? undefined
      : through(index, filter, conditions, sort, forced !== undefined);
    if (candidate && (!best || candidate.score > best.score)) best = candidate;
  }
  if (forced && !best) throw badValue(`The index ${forced.spec.name} cannot answer this query`);
  return best?.plan ?? throughBranches(collection, filter, sort) ?? scanAll(sort, 1);
}

const scanAll = (sort: Sort, direction: 1 | -1): Plan => ({
  scans: undefined,
  backwards: direction < 0,
  exact: false,
  sorted: sort.length === 0,
});

function through(
  index: Index,
  filter: Document,
  { fields, complete }: Conditions,
  sort: Sort,
  forced: boolean,
): { plan: Plan; score: number } | undefined {
  if (index.covers && !implies(filter, fields, index)) return undefined;
  if (index.spec.sparse && !index.fields.some(({ path }) => excludesMissing(fields.get(path))))
    return undefined;

  let prefixes: Buffer[] = [EVERYTHING];
  let used = 0;
  let single = true;
  for (const { path, direction } of index.fields) {
    const points = fields.get(path)?.points;
    if (!points || prefixes.length * points.length > MOST_POINTS) break;
    const keys = distinct(points.map((value) => part(keyOf(value), direction)));
    prefixes = prefixes.flatMap((prefix) => keys.map((key) => Buffer.concat([prefix, key])));
    single &&= keys.length === 1;
    used++;
  }
  const next = index.fields[used];
  const range = next && rangeOf(fields.get(next.path), next.direction, index.multikey);
  const order = sort.length > 0 && single && !index.multikey ? orderOf(index, used, fields, sort) : undefined;
  if (used === 0 && !range && !order && !forced) return undefined;

  const scans = prefixes
    .sort(Buffer.compare)
    .map(
      (prefix): Scan =>
        range
          ? { index, from: Buffer.concat([prefix, range.from]), to: Buffer.concat([prefix, range.to]) }
          : { index, from: prefix, to: prefix.length === 0 ? undefined : successor(prefix) },
    );
  return {
    plan: {
      scans,
      backwards: order === -1,
      // An array is more than what an index holds of it.
      exact: complete && !index.multikey && !range && used === fields.size,
      sorted: sort.length === 0 || order !== undefined,
    },
    score:
      used * 10 +
      (range ? 5 : 0) +
      (order ? 3 : 0) +
      (index.spec.unique && used === index.fields.length ? 1 : 0),
  };
}

/** Where all branches of an $or have an index, through each of them. */
function throughBranches(collection: Collection, filter: Document, sort: Sort): Plan | undefined {
  const branches: unknown = filter["$or"];
  if (!Array.isArray(branches)) return undefined;
  const scans: Scan[] = [];
  for (const branch of branches) {
    if (!isDocument(branch) || branch["$text"] !== undefined) return undefined;
    const conditions = conditionsOf(branch);
    const best = collection.indexes
      .filter(({ spec }) => !spec.weights)
      .flatMap((index) => through(index, branch, conditions, [], false) ?? [])
      .sort((a, b) => b.score - a.score)[0];
    if (!best?.plan.scans) return undefined;
    scans.push(...best.plan.scans);
  }
  return { scans, backwards: false, exact: false, sorted: sort.length === 0 };
}

function textPlan(index: Index, filter: Document): Plan {
  const { fields } = conditionsOf(filter);
  let prefix = EVERYTHING;
  for (const { path, direction } of index.fields) {
    const [value, ...others] = fields.get(path)?.points ?? [];
    if (value === undefined || others.length > 0) {
      throw badValue(`failed to use text index to satisfy $text query (need equality on '${path}')`);
    }
    prefix = Buffer.concat([prefix, part(keyOf(value), direction)]);
  }
  const words = new Set(parseSearch(filter["$text"]).words);
  const scans = [...words].map((word): Scan => {
    const from = Buffer.concat([prefix, keyOf(word)]);
    return { index, from, to: successor(from) };
  });
  return { scans, backwards: false, exact: false, sorted: false };
}

/** What must hold of each field: an array in a condition's place means that the index cannot say. */
function conditionsOf(filter: Document): Conditions {
  const fields = new Map<string, Condition>();
  let complete = true;
  const add = (document: Document): void => {
    for (const name of Object.keys(document)) {
      const value: unknown = document[name];
      if (name === "$and" && Array.isArray(value)) {
        for (const each of value) if (isDocument(each)) add(each);
      } else if (name === "$comment") {
        // says nothing
      } else if (name.startsWith("$")) complete = false;
      else if (isOperators(value)) {
        for (const operator of Object.keys(value)) {
          if (!narrow(fields, name, operator, value[operator])) complete = false;
        }
      } else if (!narrow(fields, name, "$eq", value)) complete = false;
    }
  };
  add(filter);
  return { fields, complete };
}

/** True when the condition says all that the operator does. */
function narrow(fields: Map<string, Condition>, path: string, operator: string, value: unknown): boolean {
  const condition = fields.get(path) ?? {};
  const set = (more: Condition) => fields.set(path, { ...condition, ...more });
  switch (operator) {
    case "$eq":
    case "$in": {
      const points = operator === "$eq" ? [value] : value;
      if (!Array.isArray(points) || !points.every(isPoint) || condition.points) return false;
      set({ points });
      return points.every((one) => one !== null);
    }
    case "$gt":
    case "$gte":
      if (isPoint(value) && value !== null && !condition.lower)
        set({ lower: { value, inclusive: operator === "$gte" } });
      return false;
    case "$lt":
    case "$lte":
      if (isPoint(value) && value !== null && !condition.upper)
        set({ upper: { value, inclusive: operator === "$lte" } });
      return false;
    default:
      return false;
  }
}

/** A value whose key stands in the index wherever the field equals it. */
function isPoint(value: unknown): boolean {
  if (value === undefined || Array.isArray(value) || value instanceof RegExp) return false;
  if (value instanceof BSONRegExp || value instanceof Code) return false;
  const tag = tagOf(value);
  return tag !== Tag.minKey && tag !== Tag.maxKey;
}

function rangeOf(
  condition: Condition | undefined,
  direction: 1 | -1,
  multikey: boolean,
): { from: Buffer; to: Buffer } | undefined {
  const { lower, upper } = condition ?? {};
  const value = lower?.value ?? upper?.value;
  if (value === undefined) return undefined;
  const tag = tagOf(value);
  const type = part(Buffer.of(tag), direction);
  let [from, to] = [type, successor(type)];
  // One element of an array may be above the lower bound and another below the upper one.
  for (const [bound, side] of [
    [lower, 1],
    [multikey && lower ? undefined : upper, -1],
  ] as const) {
    if (!bound || tagOf(bound.value) !== tag) continue;
    const key = part(keyOf(bound.value), direction);
    if (side * direction > 0) from = bound.inclusive ? key : successor(key);
    else to = bound.inclusive ? successor(key) : key;
  }
  return { from, to };
}

/** 1 or -1 when the index, past what is fixed, is in the order of the sort or its reverse. */
function orderOf(index: Index, used: number, fields: Map<string, Condition>, sort: Sort): 1 | -1 | undefined {
  const fixed = new Set(index.fields.slice(0, used).map(({ path }) => path));
  for (const [path, { points }] of fields) if (points?.length === 1 && fixed.has(path)) fixed.add(path);
  const wanted = sort.filter(([path]) => !fixed.has(path));
  let order: 1 | -1 | undefined;
  for (const [i, [path, direction]] of wanted.entries()) {
    const own = index.fields[used + i];
    if (own?.path !== path) return undefined;
    const here = own.direction === direction ? 1 : -1;
    if (order !== undefined && order !== here) return undefined;
    order = here;
  }
  return order ?? 1;
}

const part = (key: Buffer, direction: 1 | -1) => (direction < 0 ? inverted(key) : key);

const distinct = (keys: Buffer[]) => [...new Map(keys.map((key) => [key.toString("latin1"), key])).values()];

/** Does whatever the condition allows exclude a field that is not there? */
function excludesMissing(condition: Condition | undefined): boolean {
  if (!condition) return false;
  if (condition.points) return condition.points.every((value) => value !== null);
  return condition.lower !== undefined || condition.upper !== undefined;
}

/** Is every document that the filter finds one that the partial index holds? When in doubt, no. */
function implies(filter: Document, fields: Map<string, Condition>, index: Index): boolean {
  const partial = index.spec.partialFilterExpression ?? {};
  const stated = [filter, ...(Array.isArray(filter["$and"]) ? filter["$and"].filter(isDocument) : [])];
  return Object.keys(partial).every((name) => {
    const wanted: unknown = partial[name];
    if (stated.some((one) => Object.hasOwn(one, name) && equal(one[name], wanted))) return true;
    if (name.startsWith("$")) return false;
    const condition = fields.get(name);
    if (condition?.points && !name.includes(".")) {
      const holds = matcherOf({ [name]: wanted });
      // Null also finds those that have no such field.
      return condition.points.every((value) => holds({ [name]: value }) && (value !== null || holds({})));
    }
    const onlyExists = isDocument(wanted) && Object.keys(wanted).join() === "$exists";
    return onlyExists && excludesMissing(condition);
  });
}

function hinted(collection: Collection, hint: unknown): Index | "natural" {
  if (isDocument(hint) && "$natural" in hint) return "natural";
  const index = collection.indexes.find(({ spec }) =>
    typeof hint === "string" ? spec.name === hint : isDocument(hint) && nameOf(spec.key) === nameOf(hint),
  );
  if (!index)
    throw badValue(
      "error processing query: planner returned error :: hint provided does not correspond to an existing index",
    );
  return index;
}

function naturalDirection(hint: unknown): 1 | -1 {
  const value = (hint as Document)["$natural"];
  return isNumber(value) && toNumber(value) < 0 ? -1 : 1;
}
