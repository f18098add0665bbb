import { AppError } from "./errors.ts";

/** Where in the request a value stands. */
const places = {
  json: "body",
  form: "body",
  query: "query",
  param: "path",
  header: "headers",
  cookie: "cookies",
};

// A hostile body can break a rule in every one of its thousands of elements.
const mostIssues = 50;

interface ZodIssue {
  path: PropertyKey[];
  message: string;
}

/** The error for input that zod refused: which value (`in`, `path`) and why, for at most 50 of them. */
export function validationFailed(target: keyof typeof places, issues: readonly ZodIssue[]): AppError {
  return new AppError("validation_failed", {
    details: {
      issues: issues.slice(0, mostIssues).map(({ path, message }) => ({ in: places[target], path, message })),
    },
  });
}
