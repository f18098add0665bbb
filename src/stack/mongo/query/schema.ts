// $jsonSchema: draft 4 with bsonType, as MongoDB has it. Keywords that it has not are errors.
import { badValue, failedToParse, notSupported } from "../errors.ts";
import { equal, nameOf } from "../keys.ts";
import { type Document, field, isDocument, isNumber, toNumber, typeName } from "../values.ts";
import type { Matcher } from "./match.ts";
import { typesOf } from "./predicates.ts";
import { toRegExp } from "./regex.ts";

/** A rule that a value breaks: its keyword, and where. */
export interface Violation {
  keyword: string;
  path: string;
}

type Check = (value: unknown, path: string) => Violation | undefined;
type Keyword = (argument: unknown, schema: Document) => Check;

const ok = undefined;

/** @throws {MongoError} when the schema is not one. */
export function schemaMatcher(schema: unknown): Matcher {
  const check = schemaCheck(schema);
  return (document) => check(document, "") === ok;
}

/** Compiles a schema to what finds the first rule that a document breaks. */
export function schemaCheck(schema: unknown): Check {
  if (!isDocument(schema)) throw failedToParse("$jsonSchema must be an object");
  for (const [exclusive, of] of EXCLUSIVE) {
    if (exclusive in schema && !(of in schema)) {
      throw failedToParse(`$jsonSchema keyword '${of}' must be present if ${exclusive} is present`);
    }
  }
  const checks: Check[] = [];
  for (const name of Object.keys(schema)) {
    if (ANNOTATIONS.has(name)) continue;
    const keyword = Object.hasOwn(keywords, name) ? keywords[name] : undefined;
    if (!keyword) {
      if (/^(\$ref|\$schema|default|definitions|format|id)$/.test(name)) {
        throw failedToParse(`$jsonSchema keyword '${name}' is not currently supported`);
      }
      throw failedToParse(`Unknown $jsonSchema keyword: ${name}`);
    }
    const test = keyword(schema[name], schema);
    checks.push((value, path) => {
      const violation = test(value, path);
      return violation && (violation.keyword === "" ? { ...violation, keyword: name } : violation);
    });
  }
  return (value, path) => {
    for (const check of checks) {
      const violation = check(value, path);
      if (violation) return violation;
    }
    return ok;
  };
}

const ANNOTATIONS = new Set(["title", "description", "exclusiveMinimum", "exclusiveMaximum"]);

const EXCLUSIVE = [
  ["exclusiveMinimum", "minimum"],
  ["exclusiveMaximum", "maximum"],
] as const;

/** A check of values for which `applies` is true; others pass. */
const when =
  <T>(applies: (value: unknown) => value is T, holds: (value: T) => boolean): Check =>
  (value, path) =>
    applies(value) && !holds(value) ? { keyword: "", path } : ok;

const isString = (value: unknown): value is string => typeof value === "string";
const isArray = (value: unknown): value is unknown[] => Array.isArray(value);
const characters = (text: string) => [...text].length;

function natural(argument: unknown, name: string): number {
  const value = isNumber(argument) ? toNumber(argument) : -1;
  if (!Number.isInteger(value) || value < 0)
    throw failedToParse(`$jsonSchema keyword '${name}' must be a whole number from 0`);
  return value;
}

function strings(argument: unknown, name: string): string[] {
  if (!isArray(argument) || !argument.every(isString) || argument.length === 0) {
    throw failedToParse(`$jsonSchema keyword '${name}' must be a nonempty array of strings`);
  }
  return argument;
}

function schemas(argument: unknown, name: string): Check[] {
  if (!isArray(argument) || argument.length === 0)
    throw failedToParse(`$jsonSchema keyword '${name}' must be a nonempty array`);
  return argument.map(schemaCheck);
}

const within = (path: string, name: string | number) => (path === "" ? `${name}` : `${path}.${name}`);

const passes = (check: Check, value: unknown, path: string) => check(value, path) === ok;

function first<T>(items: Iterable<T>, check: (item: T) => Violation | undefined): Violation | undefined {
  for (const item of items) {
    const violation = check(item);
    if (violation) return violation;
  }
  return ok;
}

function bound(name: "minimum" | "maximum"): Keyword {
  return (argument, schema) => {
    if (!isNumber(argument)) throw failedToParse(`$jsonSchema keyword '${name}' must be a number`);
    const sign = name === "minimum" ? 1 : -1;
    const exclusive: unknown = schema[name === "minimum" ? "exclusiveMinimum" : "exclusiveMaximum"] ?? false;
    if (typeof exclusive !== "boolean")
      throw failedToParse("exclusiveMinimum and exclusiveMaximum must be booleans");
    return when(isNumber, (value) => {
      const order =
        Buffer.compare(Buffer.from(nameOf(value), "latin1"), Buffer.from(nameOf(argument), "latin1")) * sign;
      return exclusive ? order > 0 : order >= 0;
    });
  };
}

const JSON_TYPES: Record<string, string> = {
  object: "object",
  array: "array",
  string: "string",
  boolean: "bool",
  null: "null",
  number: "number",
};

const keywords: Record<string, Keyword> = {
  bsonType: (argument) => {
    const types = typesOf(argument);
    return (value, path) => (types.has(typeName(value)) ? ok : { keyword: "", path });
  },
  type: (argument) => {
    const names = isArray(argument) ? argument : [argument];
    const types = typesOf(
      names.map((name) => {
        const type = isString(name) ? JSON_TYPES[name] : undefined;
        if (!type) throw failedToParse(`$jsonSchema type '${String(name)}' is not supported: use bsonType`);
        return type;
      }),
    );
    return (value, path) => (types.has(typeName(value)) ? ok : { keyword: "", path });
  },
  enum: (argument) => {
    if (!isArray(argument) || argument.length === 0)
      throw failedToParse("$jsonSchema keyword 'enum' must be a nonempty array");
    return (value, path) => (argument.some((one) => equal(one, value)) ? ok : { keyword: "", path });
  },
  required: (argument) => {
    const names = strings(argument, "required");
    return (value, path) => {
      if (!isDocument(value)) return ok;
      const missing = names.find((name) => field(value, name) === undefined);
      return missing === undefined ? ok : { keyword: "", path: within(path, missing) };
    };
  },
  properties: (argument) => {
    const properties = compileAll(argument, "properties");
    return (value, path) =>
      isDocument(value)
        ? first(properties, ([name, check]) => {
            const own = field(value, name);
            return own === undefined ? ok : check(own, within(path, name));
          })
        : ok;
  },
  patternProperties: (argument) => {
    const patterns = compileAll(argument, "patternProperties").map(
      ([name, check]) => [toRegExp(name), check] as const,
    );
    return (value, path) =>
      isDocument(value)
        ? first(Object.keys(value), (name) =>
            first(patterns, ([pattern, check]) =>
              pattern.test(name) ? check(value[name], within(path, name)) : ok,
            ),
          )
        : ok;
  },
  additionalProperties: (argument, schema) => {
    const known = new Set(isDocument(schema["properties"]) ? Object.keys(schema["properties"]) : []);
    const patterns = isDocument(schema["patternProperties"])
      ? Object.keys(schema["patternProperties"]).map((pattern) => toRegExp(pattern))
      : [];
    const check: Check =
      typeof argument === "boolean"
        ? (_value, path) => (argument ? ok : { keyword: "", path })
        : schemaCheck(argument);
    return (value, path) =>
      isDocument(value)
        ? first(Object.keys(value), (name) =>
            known.has(name) || patterns.some((pattern) => pattern.test(name))
              ? ok
              : check(value[name], within(path, name)),
          )
        : ok;
  },
  minProperties: (argument, _schema) => {
    const least = natural(argument, "minProperties");
    return when(isDocument, (value) => Object.keys(value).length >= least);
  },
  maxProperties: (argument) => {
    const most = natural(argument, "maxProperties");
    return when(isDocument, (value) => Object.keys(value).length <= most);
  },
  dependencies: (argument) => {
    if (!isDocument(argument)) throw failedToParse("$jsonSchema keyword 'dependencies' must be an object");
    const dependencies = Object.keys(argument).map((name) => {
      const given: unknown = argument[name];
      const check: Check = isArray(given) ? requiredCheck(given) : schemaCheck(given);
      return [name, check] as const;
    });
    return (value, path) =>
      isDocument(value)
        ? first(dependencies, ([name, check]) => (field(value, name) === undefined ? ok : check(value, path)))
        : ok;
  },
  items: (argument, schema) => {
    if (!isArray(argument)) {
      const check = schemaCheck(argument);
      return (value, path) =>
        isArray(value) ? first(value.entries(), ([i, one]) => check(one, within(path, i))) : ok;
    }
    const checks = argument.map(schemaCheck);
    const additional: unknown = schema["additionalItems"] ?? true;
    const rest: Check =
      typeof additional === "boolean"
        ? (_value, path) => (additional ? ok : { keyword: "additionalItems", path })
        : schemaCheck(additional);
    return (value, path) =>
      isArray(value) ? first(value.entries(), ([i, one]) => (checks[i] ?? rest)(one, within(path, i))) : ok;
  },
  additionalItems: (argument, schema) => {
    if (typeof argument !== "boolean") schemaCheck(argument);
    if (schema["items"] === undefined) return () => ok;
    return () => ok; // with a list of items, these check it
  },
  minItems: (argument) => {
    const least = natural(argument, "minItems");
    return when(isArray, (value) => value.length >= least);
  },
  maxItems: (argument) => {
    const most = natural(argument, "maxItems");
    return when(isArray, (value) => value.length <= most);
  },
  uniqueItems: (argument) => {
    if (typeof argument !== "boolean")
      throw failedToParse("$jsonSchema keyword 'uniqueItems' must be a boolean");
    return when(isArray, (value) => !argument || new Set(value.map(nameOf)).size === value.length);
  },
  minimum: bound("minimum"),
  maximum: bound("maximum"),
  multipleOf: (argument) => {
    if (!isNumber(argument) || !(toNumber(argument) > 0))
      throw failedToParse("$jsonSchema keyword 'multipleOf' must be positive");
    const divisor = toNumber(argument);
    if (!Number.isInteger(divisor)) throw notSupported("A fraction in $jsonSchema's multipleOf");
    return when(isNumber, (value) => toNumber(value) % divisor === 0);
  },
  minLength: (argument) => {
    const least = natural(argument, "minLength");
    return when(isString, (value) => characters(value) >= least);
  },
  maxLength: (argument) => {
    const most = natural(argument, "maxLength");
    return when(isString, (value) => characters(value) <= most);
  },
  pattern: (argument) => {
    if (!isString(argument)) throw failedToParse("$jsonSchema keyword 'pattern' must be a string");
    const pattern = toRegExp(argument);
    return when(isString, (value) => pattern.test(value));
  },
  allOf: (argument) => {
    const checks = schemas(argument, "allOf");
    return (value, path) => first(checks, (check) => check(value, path));
  },
  anyOf: (argument) => {
    const checks = schemas(argument, "anyOf");
    return (value, path) => (checks.some((check) => passes(check, value, path)) ? ok : { keyword: "", path });
  },
  oneOf: (argument) => {
    const checks = schemas(argument, "oneOf");
    return (value, path) =>
      checks.filter((check) => passes(check, value, path)).length === 1 ? ok : { keyword: "", path };
  },
  not: (argument) => {
    const check = schemaCheck(argument);
    return (value, path) => (passes(check, value, path) ? { keyword: "", path } : ok);
  },
};

function requiredCheck(names: unknown[]): Check {
  const required = strings(names, "dependencies");
  return (value, path) => {
    const missing = required.find((name) => field(value as Document, name) === undefined);
    return missing === undefined ? ok : { keyword: "", path: within(path, missing) };
  };
}

function compileAll(argument: unknown, name: string): [string, Check][] {
  if (!isDocument(argument)) throw badValue(`$jsonSchema keyword '${name}' must be an object`);
  return Object.keys(argument).map((key) => [key, schemaCheck(argument[key])]);
}
