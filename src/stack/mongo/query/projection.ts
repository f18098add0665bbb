import { failure, notSupported } from "../errors.ts";
import { partsOf } from "../paths.ts";
import { type Document, field, isDocument, isNumber, setField, toInteger, toNumber } from "../values.ts";
import { type Evaluate, expressionOf } from "./expressions.ts";
import { filterContext } from "./find.ts";
import { isOperators, matcherOf } from "./match.ts";
import { matchedPosition } from "./position.ts";

export type Project = (document: Document) => Document;

export interface ProjectionContext {
  variables?: Document | undefined;
  /** Of a find: `$slice`, `$elemMatch` and `a.$` are its own. */
  find?: { filter: Document; score: ((document: Document) => number) | undefined };
}

type Node = Map<string, Node | Leaf>;

/** What becomes of one field. */
type Leaf =
  | { kind: "keep" }
  | { kind: "drop" }
  | { kind: "compute"; value: Evaluate }
  | { kind: "change"; change: (value: unknown, document: Document) => unknown; alone: boolean };

/** @throws {MongoError} for projections that mix, collide, or use what is not known. */
export function projectionOf(projection: unknown, context: ProjectionContext = {}): Project {
  if (!isDocument(projection)) throw failure(14, "Expected the projection to be an object");
  const tree: Node = new Map();
  let keeps = 0;
  let drops = 0;
  let idKept: boolean | undefined;

  const add = (path: string, value: unknown): void => {
    if (isDocument(value) && !isOperators(value)) {
      if (Object.keys(value).length === 0)
        throw failure(51270, "An empty sub-projection is not a valid value. Found empty object at path");
      for (const name of Object.keys(value)) add(`${path}.${name}`, value[name]);
      return;
    }
    const positional = path.endsWith(".$");
    const parts = partsOf(positional ? path.slice(0, -2) : path);
    if (parts.some((part) => part === "" || part.startsWith("$"))) {
      throw failure(
        16410,
        `FieldPath field names may not be empty or start with '$'. Consider using $getField or $setField: ${path}`,
      );
    }
    const leaf = positional ? positionalLeaf(parts, context) : leafOf(value, parts, context);
    if (path === "_id" && (leaf.kind === "keep" || leaf.kind === "drop")) idKept = leaf.kind === "keep";
    else if (leaf.kind === "keep" || leaf.kind === "compute") keeps++;
    else if (leaf.kind === "drop") drops++;
    else if (leaf.alone) keeps++;
    place(tree, parts, leaf, path);
  };
  for (const path of Object.keys(projection)) add(path, projection[path]);

  if (keeps > 0 && drops > 0) {
    const name = [...tree].find(([, node]) => !(node instanceof Map) && node.kind === "drop")?.[0] ?? "";
    throw failure(31254, `Cannot do exclusion on field ${name} in inclusion projection`);
  }
  const including = keeps > 0 || (drops === 0 && idKept === true);
  if (including && idKept !== false && !tree.has("_id")) tree.set("_id", { kind: "keep" });
  return including
    ? (document) => include(document, tree, document) as Document
    : (document) => exclude(document, tree, document) as Document;
}

/** `$addFields`: everything stays, some fields are computed. */
export function addedFields(fields: unknown, variables?: Document): Project {
  if (!isDocument(fields) || Object.keys(fields).length === 0) {
    throw failure(40272, "$addFields specification stage must be an object with at least one field");
  }
  const tree: Node = new Map();
  const add = (path: string, value: unknown): void => {
    if (isDocument(value) && !isOperators(value) && Object.keys(value).length > 0) {
      for (const name of Object.keys(value)) add(`${path}.${name}`, value[name]);
      return;
    }
    const parts = partsOf(path);
    if (parts.some((part) => part === "" || part.startsWith("$"))) {
      throw failure(16410, `FieldPath field names may not be empty or start with '$': ${path}`);
    }
    place(tree, parts, { kind: "compute", value: expressionOf(value, variables) }, path);
  };
  for (const path of Object.keys(fields)) add(path, fields[path]);
  return (document) => addTo(document, tree, document) as Document;
}

function leafOf(value: unknown, path: string[], context: ProjectionContext): Leaf {
  if (typeof value === "boolean") return { kind: value ? "keep" : "drop" };
  if (isNumber(value)) return { kind: toNumber(value) === 0 ? "drop" : "keep" };
  if (isOperators(value) && context.find) {
    const [operator = ""] = Object.keys(value);
    if (operator === "$slice" && (!Array.isArray(value[operator]) || isNumber(value[operator][0]))) {
      const cut = sliceOf(value[operator]);
      return { kind: "change", alone: false, change: (list) => (Array.isArray(list) ? cut(list) : list) };
    }
    if (operator === "$elemMatch") {
      if (path.length > 1) throw failure(31275, "Cannot use $elemMatch projection on a nested field.");
      const matches = matcherOf({ list: { $elemMatch: value[operator] } }, filterContext());
      const change = (list: unknown) => {
        const found = Array.isArray(list) ? list.find((one) => matches({ list: [one] })) : undefined;
        return found === undefined ? undefined : [found];
      };
      return { kind: "change", alone: true, change };
    }
    if (operator === "$meta") {
      const { score } = context.find;
      if (value[operator] !== "textScore") throw notSupported(`A projection of ${JSON.stringify(value)}`);
      if (!score) throw failure(40218, "query requires text score metadata, but it is not available");
      return { kind: "change", alone: false, change: (_value, document) => score(document) };
    }
  }
  return { kind: "compute", value: expressionOf(value, context.variables) };
}

function positionalLeaf(parts: string[], { find }: ProjectionContext): Leaf {
  if (!find) throw failure(31324, "A positional projection is only for find");
  return {
    kind: "change",
    alone: true,
    change(list, document) {
      const position = matchedPosition(find.filter, document, [...parts, "$"]);
      if (!Array.isArray(list)) return list;
      if (position === undefined) {
        throw failure(
          51246,
          "Executor error during find command :: caused by :: positional operator '.$' couldn't find a matching element in the array",
        );
      }
      return [list[position]];
    },
  };
}

function sliceOf(argument: unknown): (list: unknown[]) => unknown[] {
  if (!Array.isArray(argument)) {
    const count = toInteger(argument, "$slice");
    return (list) => (count < 0 ? list.slice(count) : list.slice(0, count));
  }
  if (argument.length !== 2) throw failure(28667, "$slice takes a number, or two");
  const [skip, limit] = argument.map((one) => toInteger(one, "$slice")) as [number, number];
  if (limit <= 0) throw failure(28724, "Second argument to $slice must be positive");
  return (list) => {
    const from = skip < 0 ? Math.max(0, list.length + skip) : skip;
    return list.slice(from, from + limit);
  };
}

function place(tree: Node, parts: string[], leaf: Leaf, path: string): void {
  let node = tree;
  const collision = () => failure(31249, `Path collision at ${path}`);
  for (const part of parts.slice(0, -1)) {
    let next = node.get(part);
    if (next && !(next instanceof Map)) throw collision();
    if (!next) {
      next = new Map();
      node.set(part, next);
    }
    node = next;
  }
  const last = parts.at(-1) as string;
  if (node.has(last)) throw collision();
  node.set(last, leaf);
}

function include(value: unknown, tree: Node, root: Document): unknown {
  if (Array.isArray(value)) {
    return value.flatMap((one) => (isDocument(one) || Array.isArray(one) ? [include(one, tree, root)] : []));
  }
  if (!isDocument(value)) return undefined;
  const result: Document = {};
  for (const name of Object.keys(value)) {
    const node = tree.get(name);
    if (!node || (!(node instanceof Map) && (node.kind === "compute" || node.kind === "drop"))) continue;
    const kept =
      node instanceof Map
        ? include(value[name], node, root)
        : node.kind === "change"
          ? node.change(value[name], root)
          : value[name];
    if (kept !== undefined) setField(result, name, kept);
  }
  return compute(result, tree, root);
}

/** Fields that are not there before: computed ones, in the order in which they are asked for. */
function compute(result: Document, tree: Node, root: Document): Document {
  for (const [name, node] of tree) {
    if (node instanceof Map) {
      if (field(result, name) !== undefined || !hasComputed(node)) continue;
      const nested = compute({}, node, root);
      setField(result, name, nested);
    } else if (node.kind === "compute") {
      const value = node.value(root);
      if (value === undefined) delete result[name];
      else setField(result, name, value);
    } else if (node.kind === "change" && !Object.hasOwn(result, name) && !node.alone) {
      const value = node.change(undefined, root);
      if (value !== undefined) setField(result, name, value);
    }
  }
  return result;
}

const hasComputed = (tree: Node): boolean =>
  [...tree.values()].some((node) => (node instanceof Map ? hasComputed(node) : node.kind === "compute"));

function exclude(value: unknown, tree: Node, root: Document): unknown {
  if (Array.isArray(value)) return value.map((one) => exclude(one, tree, root));
  if (!isDocument(value)) return value;
  const result: Document = {};
  for (const name of Object.keys(value)) {
    const node = tree.get(name);
    if (node && !(node instanceof Map) && node.kind === "drop") continue;
    const kept =
      node instanceof Map
        ? exclude(value[name], node, root)
        : node?.kind === "change"
          ? node.change(value[name], root)
          : value[name];
    if (kept !== undefined) setField(result, name, kept);
  }
  for (const [name, node] of tree) {
    if (node instanceof Map || node.kind !== "change" || Object.hasOwn(result, name)) continue;
    const added = node.change(undefined, root);
    if (added !== undefined) setField(result, name, added);
  }
  return result;
}

function addTo(value: unknown, tree: Node, root: Document): unknown {
  if (Array.isArray(value)) return value.map((one) => addTo(one, tree, root));
  const result: Document = isDocument(value) ? { ...value } : {};
  for (const [name, node] of tree) {
    const added =
      node instanceof Map
        ? addTo(field(result, name), node, root)
        : node.kind === "compute"
          ? node.value(root)
          : undefined;
    if (added === undefined) delete result[name];
    else setField(result, name, added);
  }
  return result;
}

/** `$unset` */
export function withoutFields(fields: unknown): Project {
  const names = Array.isArray(fields) ? fields : [fields];
  if (names.length === 0 || !names.every((name): name is string => typeof name === "string" && name !== "")) {
    throw failure(31002, "$unset specification must be a string or an array containing only string values");
  }
  return projectionOf(Object.fromEntries(names.map((name) => [name, 0])));
}
