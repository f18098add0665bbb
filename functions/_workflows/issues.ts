/** What is wrong with a workflow, and where: a JSON pointer (RFC 6901) into the document. */
export interface Issue {
  path: string;
  message: string;
}

/** A JSON pointer from the names on the way. */
export function pointer(...path: readonly PropertyKey[]): string {
  return path.map((name) => `/${String(name).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

/** The names on the way of a JSON pointer. */
export function pointerPath(text: string): string[] {
  return text.split("/").slice(1).map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
}
