import { badValue, failure, notSupported } from "../errors.ts";
import { equal, nameOf } from "../keys.ts";
import { partsOf } from "../paths.ts";
import { type Document, isDocument, isNumber, toNumber } from "../values.ts";

/** An index as `createIndexes` describes it and `listIndexes` shows it. */
export interface IndexSpec {
  name: string;
  key: Document;
  unique?: boolean;
  sparse?: boolean;
  expireAfterSeconds?: number;
  partialFilterExpression?: Document;
  /** Of a text index: what each field counts. */
  weights?: Record<string, number>;
}

export interface IndexField {
  path: string;
  direction: 1 | -1;
}

const KNOWN = new Set([
  "name",
  "key",
  "v",
  "ns",
  "unique",
  "sparse",
  "background",
  "expireAfterSeconds",
  "partialFilterExpression",
  "weights",
  "default_language",
  "language_override",
  "textIndexVersion",
  "hidden",
  "collation",
]);

export const ID_INDEX: IndexSpec = { name: "_id_", key: { _id: 1 }, unique: true };

/**
 * Reads the description of an index.
 *
 * @throws {MongoError} for every type and option of index that is not kept.
 */
export function indexSpec(given: unknown): IndexSpec {
  if (!isDocument(given)) throw failure(14, "An index is described by an object");
  for (const name of Object.keys(given)) {
    if (!KNOWN.has(name)) throw failure(197, `The field '${name}' is not valid for an index specification`);
  }
  const { name, key, collation } = given;
  if (!isDocument(key) || Object.keys(key).length === 0) {
    throw failure(67, "Index keys cannot be an empty object");
  }
  if (typeof name !== "string" || name === "")
    throw failure(9, "The 'name' field is a required property of an index");
  if (isDocument(collation) && collation["locale"] !== "simple")
    throw notSupported("An index with a collation");
  if (given["hidden"] === true) throw notSupported("A hidden index");

  const text = Object.keys(key).filter((path) => key[path] === "text");
  const spec: IndexSpec = { name, key: text.length > 0 ? textKey(key) : {} };
  for (const path of Object.keys(key)) {
    if (text.length > 0) break;
    requirePath(path);
    spec.key[path] = direction(path, key[path]);
  }
  if (isTruthy(given["unique"])) spec.unique = true;
  if (isTruthy(given["sparse"])) spec.sparse = true;
  if (text.length > 0 || isDocument(given["weights"])) {
    if (spec.unique || spec.sparse) throw failure(67, "A text index cannot be unique or sparse");
    spec.weights = weightsOf(given, text);
    const language = given["default_language"] ?? "none";
    if (language !== "none")
      throw notSupported(`Stemming (default_language '${String(language)}'; use 'none')`);
  }
  const expiry = given["expireAfterSeconds"];
  if (expiry !== undefined) {
    if (!isNumber(expiry) || !(toNumber(expiry) >= 0) || toNumber(expiry) > 2 ** 31 - 1) {
      throw failure(67, "expireAfterSeconds must be a number of seconds between 0 and 2147483647");
    }
    if (Object.keys(key).length > 1 || spec.weights)
      throw failure(67, "TTL indexes are single-field indexes");
    if (Object.keys(key)[0] === "_id") throw failure(197, "_id cannot be a TTL index");
    spec.expireAfterSeconds = toNumber(expiry);
  }
  const partial = given["partialFilterExpression"];
  if (partial !== undefined) {
    if (!isDocument(partial)) throw failure(67, "partialFilterExpression must be an object");
    if (spec.sparse) throw failure(67, "cannot mix partialFilterExpression and sparse options");
    requirePartial(partial);
    spec.partialFilterExpression = partial;
  }
  return spec;
}

/** The fields of an index whose keys are in order; of a text index those before its words. */
export function indexFields(spec: IndexSpec): IndexField[] {
  return Object.keys(spec.key)
    .filter((path) => !path.startsWith("_fts"))
    .map((path) => ({ path, direction: toNumber(spec.key[path]) < 0 ? -1 : 1 }));
}

/** As `listIndexes` answers. */
export function describeIndex(spec: IndexSpec): Document {
  const { name, key, weights, ...options } = spec;
  if (name === ID_INDEX.name) return { v: 2, key: { _id: 1 }, name };
  const text = weights
    ? { weights, default_language: "none", language_override: "language", textIndexVersion: 3 }
    : {};
  return { v: 2, key, name, ...options, ...text };
}

/** Whether an index like this is there already. */
export function findIndex(specs: IndexSpec[], wanted: IndexSpec): IndexSpec | undefined {
  const sameKey = (one: IndexSpec) => nameOf(one.key) === nameOf(wanted.key);
  const same = (one: IndexSpec) => equal(sorted(describeIndex(one)), sorted(describeIndex(wanted)));
  const identical = specs.find(
    (one) => same({ ...one, name: wanted.name }) || (one.name === ID_INDEX.name && sameKey(one)),
  );
  if (identical && (identical.name === wanted.name || identical.name === ID_INDEX.name)) return identical;
  if (identical) throw failure(85, `Index already exists with a different name: ${identical.name}`);
  if (specs.some(({ name }) => name === wanted.name)) {
    throw failure(
      86,
      `An existing index has the same name as the requested index. When index names are not specified, they are auto generated and can cause conflicts. Please refer to our documentation. Requested index: ${wanted.name}`,
    );
  }
  const partial = (one: IndexSpec) => nameOf(one.partialFilterExpression ?? null);
  if (specs.some((one) => sameKey(one) && partial(one) === partial(wanted))) {
    throw failure(85, `An equivalent index already exists with different options: ${wanted.name}`);
  }
  if (wanted.weights && specs.some(({ weights }) => weights)) {
    throw failure(67, "only one text index per collection allowed");
  }
  return undefined;
}

const sorted = (document: Document): Document =>
  Object.fromEntries(Object.entries(document).sort(([a], [b]) => (a < b ? -1 : 1)));

const isTruthy = (value: unknown) => value === true || (isNumber(value) && toNumber(value) !== 0);

function requirePath(path: string): void {
  if (path.includes("$**")) throw notSupported("A wildcard index");
  if (partsOf(path).some((part) => part === "" || part.startsWith("$"))) {
    throw failure(67, `Index key contains an illegal field name: '${path}'`);
  }
}

function direction(path: string, value: unknown): 1 | -1 {
  if (isNumber(value)) {
    const number = toNumber(value);
    if (number > 0) return 1;
    if (number < 0) return -1;
    throw failure(67, `Values in the index key pattern must not be 0: '${path}'`);
  }
  if (value === "hashed" || value === "2d" || value === "2dsphere") throw notSupported(`A ${value} index`);
  throw failure(67, `Unknown index plugin '${String(value)}' for '${path}'`);
}

/** As MongoDB keeps it: the fields before the text, then its words. */
function textKey(key: Document): Document {
  const kept: Document = {};
  let words = false;
  for (const path of Object.keys(key)) {
    if (path.includes("$**")) throw notSupported("A text index over all fields");
    if (key[path] !== "text") {
      if (words) throw notSupported("A text index with fields after its text");
      requirePath(path);
      kept[path] = direction(path, key[path]);
    } else words = true;
  }
  return { ...kept, _fts: "text", _ftsx: 1 };
}

function weightsOf(given: Document, text: string[]): Record<string, number> {
  const weights: Record<string, number> = Object.fromEntries(text.map((path) => [path, 1]));
  const own = isDocument(given["weights"]) ? given["weights"] : {};
  for (const path of Object.keys(own)) {
    const weight = isNumber(own[path]) ? toNumber(own[path]) : Number.NaN;
    if (!(weight > 0 && weight < 99_999)) throw failure(67, "text index weight must be between 1 and 99999");
    if (path.includes("$**")) throw notSupported("A text index over all fields");
    requirePath(path);
    weights[path] = weight;
  }
  return Object.fromEntries(Object.entries(weights).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const PARTIAL = new Set(["$eq", "$gt", "$gte", "$lt", "$lte", "$type", "$exists", "$in"]);

function requirePartial(filter: Document): void {
  for (const name of Object.keys(filter)) {
    const value: unknown = filter[name];
    if (name === "$and" || name === "$or") {
      if (!Array.isArray(value)) throw badValue(`${name} must be an array`);
      for (const each of value) requirePartial(each as Document);
    } else if (name.startsWith("$")) {
      throw failure(67, `Expression not supported in partial index: ${name}`);
    } else if (isDocument(value)) {
      for (const operator of Object.keys(value)) {
        if (!operator.startsWith("$")) break;
        if (!PARTIAL.has(operator) || (operator === "$exists" && value[operator] === false)) {
          throw failure(67, `Expression not supported in partial index: ${operator}`);
        }
      }
    }
  }
}
