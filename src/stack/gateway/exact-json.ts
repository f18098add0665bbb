/** A JSON number that a JavaScript number would round: kept and written as its text. */
export class ExactNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }

  toJSON(): unknown {
    return rawJson(this.text);
  }
}

/** `JSON.parse` that loses no digit. @throws SyntaxError */
export function parseExact(text: string): unknown {
  if (!MAY_LOSE_DIGITS.test(text)) return JSON.parse(text);
  return parseWithSource(text, (_key, value, { source }) =>
    typeof value === "number" && String(value) !== source ? new ExactNumber(source ?? "") : value,
  );
}

const MAY_LOSE_DIGITS = /\d{16}|\d\.\d|\d[eE]|-0/;

// In Node since 22, not yet in TypeScript's library.
type Reviver = (key: string, value: unknown, context: { source?: string }) => unknown;
const parseWithSource = JSON.parse as (text: string, reviver: Reviver) => unknown;
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown };
