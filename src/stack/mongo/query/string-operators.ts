import { BSONRegExp } from "bson";
import { failure } from "../errors.ts";
import { isDocument, isNumber, typeName } from "../values.ts";
import { isNothing, type Operator, type Operators, of } from "./operator.ts";
import { toRegExp } from "./regex.ts";

interface Found {
  match: string;
  /** In characters, not in JavaScript's halves of them. */
  idx: number;
  captures: (string | null)[];
}

function regex(name: string, compute: (found: Generator<Found>) => unknown, ofNothing: unknown): Operator {
  return (each, argument) => {
    if (!isDocument(argument)) throw failure(51103, `${name} expects an object of named arguments`);
    for (const own of Object.keys(argument)) {
      if (!["input", "regex", "options"].includes(own))
        throw failure(31024, `${name} found an unknown argument: ${own}`);
    }
    const [input, pattern, options] = ["input", "regex", "options"].map((own) => each(argument[own]));
    if (isNothing(input) || isNothing(pattern)) return ofNothing;
    if (typeof input !== "string") throw failure(51104, `${name} needs 'input' to be of type string`);
    if (!isNothing(options) && typeof options !== "string")
      throw failure(51106, `${name} needs 'options' to be a string`);
    if (typeof pattern !== "string" && !(pattern instanceof RegExp) && !(pattern instanceof BSONRegExp)) {
      throw failure(51105, `${name} needs 'regex' to be of type string or regex`);
    }
    return compute(matches(input, toRegExp(pattern, options || undefined)));
  };
}

function* matches(input: string, pattern: RegExp): Generator<Found> {
  for (const found of input.matchAll(new RegExp(pattern, `${pattern.flags}g`))) {
    const [match, ...captures] = found;
    yield {
      match,
      idx: [...input.slice(0, found.index)].length,
      captures: captures.map((one) => one ?? null),
    };
  }
}

/** To text, as those operators do that take nearly everything for text. */
function asText(name: string, value: unknown): string {
  if (isNothing(value)) return "";
  if (typeof value === "string") return value;
  if (isNumber(value)) return value.toString();
  if (value instanceof Date) return value.toISOString();
  throw failure(16007, `can't convert from BSON type ${typeName(value)} to String: ${name}`);
}

// Only the letters that ASCII has change their case in MongoDB.
const lower = (text: string) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
const upper = (text: string) => text.replace(/[a-z]/g, (letter) => letter.toUpperCase());

export const strings: Operators = {
  $toLower: of("$toLower", 1, 1, (value) => lower(asText("$toLower", value))),
  $toUpper: of("$toUpper", 1, 1, (value) => upper(asText("$toUpper", value))),
  $strcasecmp: of("$strcasecmp", 2, 2, (a, b) => {
    const [x, y] = [a, b].map((one) => Buffer.from(upper(asText("$strcasecmp", one)))) as [Buffer, Buffer];
    return Buffer.compare(x, y);
  }),
  $regexMatch: regex("$regexMatch", (found) => found.next().done !== true, false),
  $regexFind: regex("$regexFind", (found) => found.next().value ?? null, null),
  $regexFindAll: regex("$regexFindAll", (found) => [...found], []),
};
