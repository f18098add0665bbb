// lite encodes JSON arguments itself; the driver would do it a second time.
const asText = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
/** JSON parameters as text. */
export const textualJson = {
  json: { to: 114, from: [114], serialize: asText, parse: JSON.parse },
  jsonb: { to: 3802, from: [3802], serialize: asText, parse: JSON.parse },
};

/** Times as GoTrue writes them: `2026-01-02T03:04:05.678Z`. */
export const rfc3339Times = {
  timestamptz: {
    to: 1184,
    from: [1184],
    serialize: (value: string) => value,
    parse: (text: string) => text.replace(" ", "T").replace(/\+00$/, "Z"),
  },
};

const literal = (oid: number) => ({
  to: oid,
  from: [oid],
  serialize: (value: unknown) => String(value),
  parse: (text: string) => text,
});

/** Parameters that the driver would convert on its own: PostgreSQL reads their text, as it does a literal. */
export const textLiterals = {
  boolean: { ...literal(16), parse: (text: string) => text === "t" },
  bytea: literal(17),
};
