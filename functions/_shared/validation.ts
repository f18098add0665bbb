import { z } from "@hono/zod-openapi";
import { AppError } from "./errors.ts";

/**
 * An id as both stores write it: whatever PostgreSQL takes, with or without the version bits of RFC 9562. Some clients send
 * capitals: to PostgreSQL they are the same, to MongoDB they are not.
 */
export const uuid = z.guid().toLowerCase();

/** Where in the request a value stands. */
const places = {
  json: "body",
  form: "body",
  query: "query",
  param: "path",
  header: "headers",
  cookie: "cookies",
};

/** Most problems of one answer: a hostile body can break a rule in every one of its thousands of elements. */
export const MOST_ISSUES = 50;
const LONGEST = 200;

/** Text of a caller's, or about it, as an answer quotes it: a key can be as long as the body it stands in. */
export const shorten = (text: string): string =>
  text.length <= LONGEST ? text : `${text.slice(0, LONGEST).replace(/[\ud800-\udbff]$/, "")}…`;

interface ZodIssue {
  path: PropertyKey[];
  message: string;
}

/** The error for input that zod refused: which value (`in`, `path`) and why, for at most 50 of them. */
export function validationFailed(target: keyof typeof places, issues: readonly ZodIssue[]): AppError {
  return new AppError("validation_failed", {
    details: {
      issues: issues.slice(0, MOST_ISSUES).map(({ path, message }) => ({
        in: places[target],
        path: path.map((name) => typeof name === "number" ? name : shorten(String(name))),
        message: shorten(message),
      })),
    },
  });
}
