import { MOST_ISSUES, shorten } from "../_shared/validation.ts";

/** What is wrong with a workflow, and where: a JSON pointer (RFC 6901) into the document. */
export interface Issue {
  path: string;
  message: string;
}

/** Where issues are collected: as many as an answer tells, whatever breaks a rule how often. */
export function collector(): {
  issues: Issue[];
  add: (message: string, ...path: readonly PropertyKey[]) => void;
} {
  const issues: Issue[] = [];
  return {
    issues,
    add: (message, ...path) => {
      if (issues.length < MOST_ISSUES) issues.push({ path: pointer(...path), message });
    },
  };
}

/** A JSON pointer from the names on the way, of which long ones are shortened. */
export function pointer(...path: readonly PropertyKey[]): string {
  return path.map((name) => `/${shorten(String(name)).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

/** The names on the way of a JSON pointer. */
export function pointerPath(text: string): string[] {
  return text.split("/").slice(1).map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
}
