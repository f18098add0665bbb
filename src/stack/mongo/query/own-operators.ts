import { badValue, failure } from "../errors.ts";
import { compare, equal, nameOf } from "../keys.ts";
import { type Document, isDocument, isNumber, setField, typeName } from "../values.ts";
import { arithmetic } from "./arithmetic-operators.ts";
import { conversions } from "./conversion-operators.ts";
import { dates } from "./date-operators.ts";
import { isTrue } from "./match.ts";
import { isNothing, MANY, type Operators, of } from "./operator.ts";
import { strings } from "./string-operators.ts";

const logic: Operators = {
  $eq: of("$eq", 2, 2, equal),
  $ne: of("$ne", 2, 2, (a, b) => !equal(a, b)),
  $gt: of("$gt", 2, 2, (a, b) => compare(a, b) > 0),
  $gte: of("$gte", 2, 2, (a, b) => compare(a, b) >= 0),
  $lt: of("$lt", 2, 2, (a, b) => compare(a, b) < 0),
  $lte: of("$lte", 2, 2, (a, b) => compare(a, b) <= 0),
  $cmp: of("$cmp", 2, 2, (a, b) => Math.sign(compare(a, b))),
  $and: (each, list) => listOf(list).every((one) => isTrue(each(one))),
  $or: (each, list) => listOf(list).some((one) => isTrue(each(one))),
  $not: of("$not", 1, 1, (value) => !isTrue(value)),
  $cond(each, given) {
    const [condition, yes, no] = Array.isArray(given)
      ? given
      : isDocument(given)
        ? [given["if"], given["then"], given["else"]]
        : [];
    if (yes === undefined || no === undefined) throw failure(17080, "Missing a parameter to $cond");
    return each(isTrue(each(condition)) ? yes : no);
  },
  $switch(each, given) {
    const branches: unknown = isDocument(given) ? given["branches"] : undefined;
    if (
      !isDocument(given) ||
      !Array.isArray(branches) ||
      branches.length === 0 ||
      !branches.every(isDocument)
    ) {
      throw failure(40068, "$switch requires at least one branch");
    }
    const branch = branches.find((one) => isTrue(each(one["case"])));
    if (branch) return each(branch["then"]);
    if (Object.hasOwn(given, "default")) return each(given["default"]);
    throw failure(
      40066,
      "$switch could not find a matching branch for an input, and no default was specified.",
    );
  },
};

const arrays: Operators = {
  $in: of("$in", 2, 2, (value, list) => {
    if (!Array.isArray(list)) {
      throw failure(40081, `$in requires an array as a second argument, found: ${typeName(list)}`);
    }
    return list.some((one) => equal(one, value));
  }),
  $indexOfArray: of("$indexOfArray", 2, 4, (list, value, from = 0, to = MANY) => {
    if (isNothing(list)) return null;
    if (!Array.isArray(list)) throw failure(40090, "$indexOfArray requires an array as a first argument");
    if (typeof from !== "number" || typeof to !== "number")
      throw failure(40096, "$indexOfArray's bounds must be numbers");
    return list.findIndex((one, i) => i >= from && i < to && equal(one, value));
  }),
  $first: of("$first", 1, 1, (list) => endOf("$first", list, 0)),
  $last: of("$last", 1, 1, (list) => endOf("$last", list, -1)),
  $slice: of("$slice", 2, 3, (list, first, count) => {
    if (isNothing(list) || isNothing(first)) return null;
    if (!Array.isArray(list))
      throw failure(28724, `First argument to $slice must be an array, but is of type: ${typeName(list)}`);
    if (!Number.isInteger(first)) throw failure(28725, "Second argument to $slice must be a whole number");
    const position = first as number;
    if (count === undefined) return position < 0 ? list.slice(position) : list.slice(0, position);
    if (!Number.isInteger(count) || (count as number) <= 0)
      throw failure(28729, "Third argument to $slice must be positive");
    const from = position < 0 ? Math.max(0, list.length + position) : position;
    return list.slice(from, from + (count as number));
  }),
  $setUnion: of("$setUnion", 0, MANY, (...lists) => ofLists(lists, (sets) => distinct(sets.flat()))),
  $setIntersection: of("$setIntersection", 0, MANY, (...lists) =>
    ofLists(lists, ([first = [], ...others]) => {
      const names = others.map((other) => new Set(other.map(nameOf)));
      return distinct(first).filter((one) => names.every((set) => set.has(nameOf(one))));
    }),
  ),
  $setDifference: of("$setDifference", 2, 2, (...lists) =>
    ofLists(lists, ([a = [], b = []]) => {
      const names = new Set(b.map(nameOf));
      return distinct(a).filter((one) => !names.has(nameOf(one)));
    }),
  ),
  $setEquals: of("$setEquals", 2, MANY, (...lists) => {
    const [first, ...others] = sets(lists, "$setEquals").map((list) => new Set(list.map(nameOf)));
    return others.every((other) => other.size === first?.size && [...other].every((name) => first.has(name)));
  }),
  $setIsSubset: of("$setIsSubset", 2, 2, (...lists) => {
    const [a = [], b = []] = sets(lists, "$setIsSubset");
    const names = new Set(b.map(nameOf));
    return a.every((one) => names.has(nameOf(one)));
  }),
};

const objects: Operators = {
  $mergeObjects: of("$mergeObjects", 0, MANY, (...given) => {
    const merged: Document = {};
    for (const one of given.length === 1 && Array.isArray(given[0]) ? given[0] : given) {
      if (isNothing(one)) continue;
      if (!isDocument(one))
        throw failure(40400, `$mergeObjects requires object inputs, but input is of type ${typeName(one)}`);
      for (const name of Object.keys(one)) setField(merged, name, one[name]);
    }
    return merged;
  }),
  $arrayToObject: of("$arrayToObject", 1, 1, (list) => {
    if (isNothing(list)) return null;
    if (!Array.isArray(list))
      throw failure(40386, `$arrayToObject requires an array input, found: ${typeName(list)}`);
    const made: Document = {};
    for (const one of list) {
      const [name, value, ...rest] = Array.isArray(one) ? one : isDocument(one) ? [one["k"], one["v"]] : [];
      if (
        typeof name !== "string" ||
        rest.length > 0 ||
        (isDocument(one) && Object.keys(one).sort().join() !== "k,v")
      ) {
        throw failure(40392, "$arrayToObject requires pairs of a name and a value, or objects of k and v");
      }
      setField(made, name, value);
    }
    return made;
  }),
  $isNumber: of("$isNumber", 1, 1, isNumber),
};

/** Those that have to know MongoDB's types and order, or that mingo computes otherwise. */
export const ownOperators: Operators = {
  ...logic,
  ...arrays,
  ...objects,
  ...arithmetic,
  ...conversions,
  ...dates,
  ...strings,
};

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value]);

const distinct = (values: unknown[]) =>
  [...new Map(values.map((value) => [nameOf(value), value])).values()].sort(compare);

function sets(lists: unknown[], name: string): unknown[][] {
  return lists.map((list) => {
    if (Array.isArray(list)) return list;
    throw failure(
      17044,
      `All operands of ${name} must be arrays. One argument is of type: ${typeName(list)}`,
    );
  });
}

function ofLists(lists: unknown[], compute: (lists: unknown[][]) => unknown): unknown {
  return lists.some(isNothing) ? null : compute(sets(lists, "a set operator"));
}

function endOf(name: string, list: unknown, index: number): unknown {
  if (isNothing(list)) return null;
  if (!Array.isArray(list)) throw badValue(`${name}'s argument must be an array, but is ${typeName(list)}`);
  return list.at(index);
}
