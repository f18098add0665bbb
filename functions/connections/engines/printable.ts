/** A server's own words as an answer may carry them: one line, printable, at most `most` characters. */
export function printable(text: unknown, most = 100): string {
  return Array.from(String(text ?? "").replace(/[\p{C}\p{Z}]+/gu, " ").trim()).slice(0, most).join("");
}
