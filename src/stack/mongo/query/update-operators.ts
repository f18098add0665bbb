import { Decimal128, EJSON, Long, Timestamp } from "bson";
import { badValue, failedToParse, failure, notSupported, typeMismatch } from "../errors.ts";
import { compare, equal, nameOf } from "../keys.ts";
import { add, multiply, whole } from "../numbers.ts";
import { isIndex, partsOf } from "../paths.ts";
import {
  clone,
  type Document,
  field,
  isDocument,
  isNumber,
  setField,
  toInteger,
  typeName,
} from "../values.ts";
import { filterContext, sortBy, sortOf } from "./find.ts";
import { isOperators, matcherOf } from "./match.ts";

/** Changes one field of a document in place. */
export type Modify = (document: Document, path: string[], inserting: boolean) => void;

/** @throws {MongoError} when the operator is not known. */
export function modifierOf(operator: string): (argument: unknown, path: string) => Modify {
  const compile = Object.hasOwn(operators, operator) ? operators[operator] : undefined;
  if (compile) return compile;
  throw failedToParse(
    `Unknown modifier: ${operator}. Expected a valid update modifier or pipeline-style update specified as an array`,
  );
}

const MOST_PADDING = 1_500_000;

/** A field's place: what holds it, whether or not it is there yet. */
interface Place {
  get(): unknown;
  set(value: unknown): void;
  remove(): void;
}

/** @throws {MongoError} 28 when something that cannot hold fields stands in the way. */
function placeOf(document: Document, path: string[]): Place {
  let holder: unknown = document;
  // What is missing on the way is made when something is set.
  let missing = 0;
  for (const [i, part] of path.slice(0, -1).entries()) {
    requireHolder(holder, part, path[i - 1], document);
    const next: unknown = Array.isArray(holder) ? holder[Number(part)] : field(holder as Document, part);
    if (next === undefined) {
      missing = path.length - 1 - i;
      break;
    }
    holder = next;
  }
  const own = path.slice(path.length - 1 - missing);
  const [first = ""] = own;
  requireHolder(holder, first, path[path.length - own.length - 1], document);
  const target = holder as Document | unknown[];
  return {
    get: () =>
      missing > 0 ? undefined : Array.isArray(target) ? target[Number(first)] : field(target, first),
    set(value) {
      const nested = own.slice(1).reduceRight<unknown>((inner, part) => {
        const outer: Document = {};
        setField(outer, part, inner);
        return outer;
      }, value);
      if (!Array.isArray(target)) return setField(target, first, nested);
      const index = Number(first);
      if (index > target.length + MOST_PADDING) throw badValue("Update can't extend an array that far");
      while (target.length < index) target.push(null);
      target[index] = nested;
    },
    remove() {
      if (missing > 0) return;
      if (!Array.isArray(target)) delete target[first];
      else if (Number(first) < target.length) target[Number(first)] = null;
    },
  };
}

function requireHolder(holder: unknown, part: string, name: string | undefined, document: Document): void {
  if (isDocument(holder) || (Array.isArray(holder) && isIndex(part))) return;
  const element = `{${name ?? ""}: ${EJSON.stringify(holder as object)}}`;
  throw failure(28, `Cannot create field '${part}' in element ${element.slice(0, 200)}`, {
    _id: field(document, "_id"),
  });
}

/** Where something is to be taken away, what stands in the way is none of its business. */
function existingPlace(document: Document, path: string[]): Place | undefined {
  try {
    return placeOf(document, path);
  } catch {
    return undefined;
  }
}

const arithmetic =
  (operator: string, combine: typeof add): ((argument: unknown, path: string) => Modify) =>
  (argument, path) => {
    if (!isNumber(argument)) {
      throw typeMismatch(
        `Cannot ${operator === "$inc" ? "increment" : "multiply"} with non-numeric argument: {${path}: ${EJSON.stringify(argument as object)}}`,
      );
    }
    return (document, parts) => {
      const place = placeOf(document, parts);
      const value = place.get();
      if (value === undefined)
        return place.set(operator === "$inc" ? argument : multiply(zeroLike(argument), argument));
      if (!isNumber(value)) {
        throw typeMismatch(
          `Cannot apply ${operator} to a value of non-numeric type. {_id: ${EJSON.stringify(field(document, "_id") as object)}} has the field '${parts.at(-1)}' of non-numeric type ${typeName(value)}`,
        );
      }
      place.set(combine(value, argument));
    };
  };

const zeroLike = (value: unknown) =>
  value instanceof Decimal128
    ? Decimal128.fromString("0")
    : whole(0n, value instanceof Long && !(value instanceof Timestamp));

const extreme =
  (sign: 1 | -1): ((argument: unknown) => Modify) =>
  (argument) =>
  (document, parts) => {
    const place = placeOf(document, parts);
    const value = place.get();
    if (value === undefined || compare(argument, value) * sign > 0) place.set(clone(argument));
  };

/** The array at the path, a copy; undefined when there is nothing. */
function arrayAt(place: Place, path: string[]): unknown[] | undefined {
  const value = place.get();
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) {
    throw failure(
      2,
      `The field '${path.join(".")}' must be an array but is of type ${typeName(value)} in the document`,
    );
  }
  return [...value];
}

interface Each {
  each: unknown[];
  position?: number;
  slice?: number;
  sort?: (values: unknown[]) => unknown[];
}

function parseEach(operator: string, argument: unknown): Each {
  if (!isDocument(argument) || !Object.hasOwn(argument, "$each")) return { each: [argument] };
  const each: unknown = argument["$each"];
  if (!Array.isArray(each)) throw failedToParse("The argument to $each must be an array");
  const parsed: Each = { each };
  for (const name of Object.keys(argument)) {
    if (name === "$each") continue;
    if (operator === "$addToSet" || !["$position", "$slice", "$sort"].includes(name)) {
      throw failedToParse(`Unrecognized clause in ${operator}: ${name}`);
    }
    if (name === "$position") parsed.position = toInteger(argument[name], name);
    if (name === "$slice") parsed.slice = toInteger(argument[name], name);
    if (name === "$sort") parsed.sort = elementSort(argument[name]);
  }
  return parsed;
}

function elementSort(sort: unknown): (values: unknown[]) => unknown[] {
  if (isNumber(sort)) {
    const direction = toInteger(sort, "$sort");
    if (direction !== 1 && direction !== -1) throw badValue("The $sort element value must be either 1 or -1");
    return (values) => [...values].sort((a, b) => compare(a, b) * direction);
  }
  if (!isDocument(sort))
    throw badValue(
      "The $sort is invalid: use 1/-1 to sort the whole element, or {field:1/-1} to sort embedded fields",
    );
  const order = sortOf(sort);
  return (values) => sortBy(values, (value) => (isDocument(value) ? value : {}), order);
}

const operators: Record<string, (argument: unknown, path: string) => Modify> = {
  $set: (argument) => (document, parts) => placeOf(document, parts).set(clone(argument)),
  $unset: () => (document, parts) => existingPlace(document, parts)?.remove(),
  $inc: arithmetic("$inc", add),
  $mul: arithmetic("$mul", multiply),
  $min: extreme(-1),
  $max: extreme(1),
  $currentDate: (argument) => {
    const type: unknown = isDocument(argument) ? argument["$type"] : argument === true ? "date" : undefined;
    if (type !== "date" && type !== "timestamp") {
      throw badValue("$currentDate needs true, { $type: 'date' } or { $type: 'timestamp' }");
    }
    return (document, parts) => {
      const now = Date.now();
      const value = type === "date" ? new Date(now) : new Timestamp({ t: Math.floor(now / 1000), i: 1 });
      placeOf(document, parts).set(value);
    };
  },
  $rename: (argument, path) => {
    if (typeof argument !== "string") throw badValue(`The 'to' field for $rename must be a string: ${path}`);
    const to = partsOf(argument);
    if (argument === path) throw badValue(`The source and target field for $rename must differ: ${path}`);
    if ([...to, ...partsOf(path)].some((part) => part === "" || part.startsWith("$"))) {
      throw badValue("The source and target of $rename may not be dynamic or empty");
    }
    if (`${argument}.`.startsWith(`${path}.`) || `${path}.`.startsWith(`${argument}.`)) {
      throw badValue(`The source and target field for $rename must not be on the same path: ${path}`);
    }
    return (document, parts) => {
      for (const [end, way] of [
        ["source", parts],
        ["destination", to],
      ] as const) {
        for (let i = 1; i < way.length; i++) {
          const above = existingPlace(document, way.slice(0, i))?.get();
          if (Array.isArray(above)) throw badValue(`The ${end} field of $rename cannot be an array element`);
        }
      }
      const place = existingPlace(document, parts);
      const value = place?.get();
      if (!place || value === undefined) return;
      const target = placeOf(document, to);
      place.remove();
      target.remove();
      target.set(value);
    };
  },
  $push: (argument) => {
    const { each, position, slice, sort } = parseEach("$push", argument);
    return (document, parts) => {
      const place = placeOf(document, parts);
      let values = arrayAt(place, parts) ?? [];
      if (position === undefined) values.push(...each.map(clone));
      else values.splice(position, 0, ...each.map(clone));
      if (sort) values = sort(values);
      if (slice !== undefined) values = slice < 0 ? values.slice(slice) : values.slice(0, slice);
      place.set(values);
    };
  },
  $addToSet: (argument) => {
    const { each } = parseEach("$addToSet", argument);
    return (document, parts) => {
      const place = placeOf(document, parts);
      const values = arrayAt(place, parts) ?? [];
      const names = new Set(values.map(nameOf));
      for (const one of each) {
        const name = nameOf(one);
        if (names.has(name)) continue;
        names.add(name);
        values.push(clone(one));
      }
      place.set(values);
    };
  },
  $pop: (argument) => {
    const end = toInteger(argument, "$pop");
    if (end !== 1 && end !== -1) throw failedToParse("$pop expects 1 or -1");
    return (document, parts) => {
      const place = existingPlace(document, parts);
      const values = place && popArray(place, parts);
      if (!values) return;
      place.set(end === 1 ? values.slice(0, -1) : values.slice(1));
    };
  },
  $pull: (argument) => {
    const unwanted = pulled(argument);
    return (document, parts) => {
      const place = existingPlace(document, parts);
      const values = place && pullArray(place, "$pull");
      if (values) place.set(values.filter((value) => !unwanted(value)));
    };
  },
  $pullAll: (argument) => {
    if (!Array.isArray(argument)) throw badValue("$pullAll requires an array argument");
    const names = new Set(argument.map(nameOf));
    return (document, parts) => {
      const place = existingPlace(document, parts);
      const values = place && pullArray(place, "$pullAll");
      if (values) place.set(values.filter((value) => !names.has(nameOf(value))));
    };
  },
  $bit: () => {
    throw notSupported("The update operator $bit");
  },
};

function popArray(place: Place, path: string[]): unknown[] | undefined {
  const value = place.get();
  if (value !== undefined && !Array.isArray(value)) {
    throw typeMismatch(`Path '${path.join(".")}' contains an element of non-array type '${typeName(value)}'`);
  }
  return value;
}

function pullArray(place: Place, operator: string): unknown[] | undefined {
  const value = place.get();
  if (value !== undefined && !Array.isArray(value))
    throw badValue(`Cannot apply ${operator} to a non-array value`);
  return value;
}

/** To `$pull`, a document is a query, operators are tested on the element, and anything else is the element. */
function pulled(argument: unknown): (value: unknown) => boolean {
  if (isOperators(argument) || typeName(argument) === "regex") {
    const matches = matcherOf({ value: argument }, filterContext());
    return (value) => matches({ value });
  }
  if (!isDocument(argument)) return (value) => equal(value, argument);
  const matches = matcherOf(argument, filterContext());
  return (value) => isDocument(value) && matches(value);
}
