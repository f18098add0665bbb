import { BSONRegExp } from "bson";
import { badValue, notSupported } from "../errors.ts";

const compiled = new Map<string, RegExp>();

/**
 * MongoDB's regular expressions are PCRE's. In Unicode mode JavaScript refuses what it does not know of them, rather
 * than to take it for something else.
 *
 * @throws {MongoError} when the expression is broken, or uses what JavaScript has not.
 */
export function toRegExp(value: BSONRegExp | RegExp | string, options?: string): RegExp {
  const pattern =
    typeof value === "string" ? value : value instanceof BSONRegExp ? value.pattern : value.source;
  const given =
    options ?? (value instanceof BSONRegExp ? value.options : value instanceof RegExp ? value.flags : "");
  const known = given.replace(/u/g, "");
  const wrong = /[^ims]/.exec(known)?.[0];
  if (wrong === "x") throw notSupported("The option x of regular expressions");
  if (wrong) throw badValue(`invalid flag in regex options: ${wrong}`);
  const name = `${known}/${pattern}`;
  let regExp = compiled.get(name);
  if (regExp) return regExp;
  try {
    regExp = new RegExp(harmlessEscapes(pattern), `u${[...new Set(known)].join("")}`);
  } catch (error) {
    throw badValue(`Regular expression is invalid, or not supported: ${(error as Error).message}`);
  }
  if (compiled.size > 1_000) compiled.clear();
  compiled.set(name, regExp);
  return regExp;
}

/** `\-` and the like mean the character itself, which Unicode mode wants said in another way. */
const harmlessEscapes = (pattern: string) =>
  pattern.replace(/\\([\s\S])/g, (whole, character: string) =>
    /[ !"#%&',:;<=>@_`~-]/.test(character)
      ? `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`
      : whole,
  );
