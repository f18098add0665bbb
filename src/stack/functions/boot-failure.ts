import { pathToFileURL } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { StackFailure } from "../failure.ts";
import { repository } from "../repository.ts";

const root = `${pathToFileURL(repository()).href}/`;
const place = /(\S+?\.[cm]?[jt]sx?:\d+:\d+)/;

/** Says in one message which function does not start, where, and why, from what Deno wrote on its way out. */
export function bootFailure(name: string, output: string): StackFailure {
  const text = stripVTControlCharacters(output).replaceAll(root, "");
  const [reason = ""] = text.slice(Math.max(0, text.indexOf("error: "))).split("\n\nStack backtrace:");
  const where = reason.match(place)?.[1];
  const detail = reason.replace(/^error: /, "").trim() || "Deno ended without a word.";
  return new StackFailure(`The function "${name}" does not start${where ? ` (${where})` : ""}:\n${detail}`);
}
