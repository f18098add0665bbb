import { failedToParse, failure } from "../errors.ts";
import { equal, keyOf } from "../keys.ts";
import { isIndex, partsOf } from "../paths.ts";
import { updateStages } from "../pipeline/stages.ts";
import { clone, type Document, field, isDocument, setField, typeName } from "../values.ts";
import { filterContext } from "./find.ts";
import { isOperators, type Matcher, matcherOf } from "./match.ts";
import { matchedPosition } from "./position.ts";
import { type Modify, modifierOf } from "./update-operators.ts";

export interface UpdateOptions {
  /** The query that found the document: `$` is the element it matched. */
  filter: Document;
  arrayFilters?: unknown;
  variables?: Document | undefined;
}

/** Makes the new document of an old one, which it leaves as it is. */
export type Update = (document: Document, inserting?: boolean) => Document;

/** True for `{ $set: … }` and for pipelines, false for a replacement. */
export const isModification = (update: unknown): boolean => Array.isArray(update) || isOperators(update);

interface Modification {
  parts: string[];
  modify: Modify;
  onInsertOnly: boolean;
}

/** @throws {MongoError} for what is no update, for operators that are not known, and for paths in each other's way. */
export function updateOf(update: unknown, options: UpdateOptions): Update {
  if (Array.isArray(update)) {
    if (options.arrayFilters !== undefined)
      throw failedToParse("Cannot specify arrayFilters and a pipeline update");
    const run = updateStages(update, options.variables);
    return keepingId((document) => run(clone(document)));
  }
  if (!isDocument(update)) throw failedToParse("Update argument must be either an object or an array");
  if (!isOperators(update)) {
    if (options.arrayFilters !== undefined)
      throw failedToParse("Cannot specify arrayFilters with a replacement");
    for (const name of Object.keys(update)) {
      if (name.startsWith("$"))
        throw failure(
          52,
          `The dollar ($) prefixed field '${name}' is not allowed in the context of an update's replacement document.`,
        );
    }
    return keepingId((document) => {
      const id = field(document, "_id");
      const replacement: Document = id === undefined ? {} : { _id: id };
      for (const name of Object.keys(update)) setField(replacement, name, clone(update[name]));
      return replacement;
    });
  }
  const modifications = modificationsOf(update);
  const elementFilters = arrayFiltersOf(options.arrayFilters, modifications);
  return keepingId((document, inserting) => {
    const changed = clone(document);
    const touched: string[][] = [];
    for (const { parts, modify, onInsertOnly } of modifications) {
      if (onInsertOnly && !inserting) continue;
      for (const path of concretePaths(changed, parts, elementFilters, () =>
        matchedPosition(options.filter, document, parts),
      )) {
        const clash = touched.find((other) => isPrefix(other, path) || isPrefix(path, other));
        if (clash) throw conflicting(path, clash);
        touched.push(path);
        modify(changed, path, inserting);
      }
    }
    return changed;
  });
}

function keepingId(update: (document: Document, inserting: boolean) => Document): Update {
  return (document, inserting = false) => {
    const changed = update(document, inserting);
    const id = field(document, "_id");
    if (id !== undefined && !equal(field(changed, "_id") ?? null, id)) {
      throw failure(66, "Performing an update on the path '_id' would modify the immutable field '_id'");
    }
    return changed;
  };
}

function modificationsOf(update: Document): Modification[] {
  const modifications: Modification[] = [];
  const operators = Object.keys(update);
  for (const operator of operators) {
    const fields: unknown = update[operator];
    const onInsertOnly = operator === "$setOnInsert";
    const compile = modifierOf(onInsertOnly ? "$set" : operator);
    if (!isDocument(fields)) {
      throw failedToParse(
        `Modifiers operate on fields but we found type ${typeName(fields)} instead. For example: {$mod: {<field>: ...}}`,
      );
    }
    for (const path of Object.keys(fields)) {
      const parts = partsOf(path);
      if (parts.some((part) => part === "")) {
        throw failure(56, `The update path '${path}' contains an empty field name, which is not allowed.`);
      }
      const wrong = parts.find((part) => part.startsWith("$") && !/^\$(\[.*\])?$/.test(part));
      if (wrong) throw failure(52, `The dollar ($) prefixed field '${wrong}' in '${path}' is not allowed.`);
      if (parts[0]?.startsWith("$"))
        throw failure(2, `Cannot have positional element in the first position in path '${path}'`);
      for (const other of modifications) {
        if (isPrefix(other.parts, parts) || isPrefix(parts, other.parts))
          throw conflicting(parts, other.parts);
      }
      modifications.push({ parts, modify: compile(fields[path], path), onInsertOnly });
    }
  }
  // $rename reads what others would write.
  const renames = operators.includes("$rename") ? Object.entries(update["$rename"] as Document) : [];
  for (const [, to] of renames) {
    const target = partsOf(String(to));
    for (const { parts } of modifications) {
      if (isPrefix(parts, target) || isPrefix(target, parts)) throw conflicting(target, parts);
    }
  }
  return modifications.sort((a, b) => order(a.parts, b.parts));
}

/** MongoDB adds new fields in the order of their names, numbers as numbers. */
function order(a: string[], b: string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [x = "", y = ""] = [a[i], b[i]];
    if (x === y) continue;
    return isIndex(x) && isIndex(y) ? Number(x) - Number(y) : Buffer.compare(keyOf(x), keyOf(y));
  }
  return a.length - b.length;
}

const isPrefix = (a: string[], b: string[]) => a.length <= b.length && a.every((part, i) => part === b[i]);

const conflicting = (path: string[], other: string[]) =>
  failure(40, `Updating the path '${path.join(".")}' would create a conflict at '${other.join(".")}'`);

/** Replaces `$`, `$[]` and `$[name]` by the indexes they stand for. */
function concretePaths(
  document: Document,
  parts: string[],
  filters: Map<string, Matcher>,
  matched: () => number | undefined,
): string[][] {
  if (!parts.some((part) => part.startsWith("$"))) return [parts];
  const paths: string[][] = [];
  const walk = (value: unknown, from: number, path: string[]): void => {
    if (from === parts.length) {
      paths.push(path);
      return;
    }
    const part = parts[from] as string;
    if (!part.startsWith("$")) {
      const next = Array.isArray(value)
        ? isIndex(part)
          ? value[Number(part)]
          : undefined
        : isDocument(value)
          ? field(value, part)
          : undefined;
      walk(next, from + 1, [...path, part]);
      return;
    }
    if (part === "$") {
      const position = matched();
      if (position === undefined) {
        throw failure(2, "The positional operator did not find the match needed from the query.");
      }
      walk(Array.isArray(value) ? value[position] : undefined, from + 1, [...path, String(position)]);
      return;
    }
    if (!Array.isArray(value)) {
      const where = path.join(".");
      if (value === undefined) {
        throw failure(2, `The path '${where}' must exist in the document in order to apply array updates.`);
      }
      throw failure(2, `Cannot apply array updates to non-array element ${path.at(-1)}: ${typeName(value)}`);
    }
    const matches = filters.get(part.slice(2, -1));
    for (const [i, element] of value.entries()) {
      if (!matches || matches({ element })) walk(element, from + 1, [...path, String(i)]);
    }
  };
  walk(document, 0, []);
  return paths;
}

function arrayFiltersOf(given: unknown, modifications: Modification[]): Map<string, Matcher> {
  const filters = new Map<string, Matcher>();
  if (given !== undefined && !Array.isArray(given)) throw failure(14, "arrayFilters must be an array");
  for (const filter of given ?? []) {
    if (!isDocument(filter)) throw failure(14, "each array filter must be an object");
    const names = new Set<string>();
    const renamed = renameRoot(filter, names);
    const [name] = names;
    if (name === undefined || names.size > 1) {
      throw failedToParse(
        `Error parsing array filter :: caused by :: Expected a single top-level field name, found '${[...names].join("' and '")}'`,
      );
    }
    if (!/^[a-z][a-zA-Z0-9]*$/.test(name)) {
      throw failure(
        2,
        `Error parsing array filter :: caused by :: The top-level field name must be an alphanumeric string beginning with a lowercase letter, found '${name}'`,
      );
    }
    if (filters.has(name))
      throw failedToParse(`Found multiple array filters with the same top-level field name ${name}`);
    filters.set(name, matcherOf(renamed, filterContext()));
  }
  const used = new Set(
    modifications.flatMap(({ parts }) =>
      parts.filter((part) => part.startsWith("$[")).map((part) => part.slice(2, -1)),
    ),
  );
  used.delete("");
  for (const name of used) {
    if (!filters.has(name)) throw failure(2, `No array filter found for identifier '${name}'`);
  }
  for (const name of filters.keys()) {
    if (!used.has(name))
      throw failedToParse(`The array filter for identifier '${name}' was not used in the update`);
  }
  return filters;
}

/** `{ "e.id": 1 }` becomes a filter of `{ element: … }`. */
function renameRoot(filter: Document, names: Set<string>): Document {
  const renamed: Document = {};
  for (const name of Object.keys(filter)) {
    const value: unknown = filter[name];
    if (name === "$and" || name === "$or" || name === "$nor") {
      if (!Array.isArray(value)) throw failure(2, `${name} must be an array`);
      renamed[name] = value.map((each) => renameRoot(each as Document, names));
    } else if (name.startsWith("$")) throw failure(2, `${name} is not allowed in an array filter`);
    else {
      const [root = "", ...rest] = partsOf(name);
      names.add(root);
      renamed[["element", ...rest].join(".")] = value;
    }
  }
  return renamed;
}

/** The document that an upsert begins with: what the filter says a field equals. */
export function seedOf(filter: Document): Document {
  const seed: Document = {};
  const seen: string[][] = [];
  const put = (path: string, value: unknown): void => {
    const parts = partsOf(path);
    if (seen.some((other) => isPrefix(other, parts) || isPrefix(parts, other))) {
      throw failure(54, `cannot infer query fields to set, path '${path}' is matched twice`);
    }
    seen.push(parts);
    let target = seed;
    for (const part of parts.slice(0, -1)) {
      const next = field(target, part) as Document | undefined;
      if (next === undefined) setField(target, part, {});
      target = field(target, part) as Document;
    }
    setField(target, parts.at(-1) as string, clone(value));
  };
  const walk = (document: Document): void => {
    for (const name of Object.keys(document)) {
      const value: unknown = document[name];
      if (name === "$and" && Array.isArray(value)) value.forEach((each) => void walk(each as Document));
      else if (name === "$or" && Array.isArray(value) && value.length === 1) walk(value[0] as Document);
      else if (name.startsWith("$")) continue;
      else if (!isOperators(value)) {
        if (typeName(value) !== "regex") put(name, value);
      } else if ("$eq" in value) put(name, value["$eq"]);
      else if (
        Array.isArray(value["$in"]) &&
        value["$in"].length === 1 &&
        typeName(value["$in"][0]) !== "regex"
      ) {
        put(name, value["$in"][0]);
      } else if (
        Array.isArray(value["$all"]) &&
        value["$all"].length === 1 &&
        !isOperators(value["$all"][0])
      ) {
        put(name, value["$all"][0]);
      }
    }
  };
  walk(filter);
  return seed;
}
