/** Values that callers send to get more than they asked for. */
export function hostileValues(): unknown[] {
  const deep = (levels: number) => {
    let value: unknown = "deep";
    for (let level = 0; level < levels; level++) value = { a: value };
    return value;
  };
  return [
    { $ne: null },
    { $gt: "" },
    { $regex: ".*" },
    { $where: "true" },
    { $in: [null] },
    { $exists: true },
    [{ $ne: null }],
    { "a.b": 1 },
    { "organization_id": "x" },
    JSON.parse('{"__proto__": {"organization_id": {"$ne": null}}}'),
    { constructor: { prototype: {} } },
    deep(60),
    "x".repeat(100_000),
    "",
    "\0",
    "\ud800",
    "../../..",
    ".*",
    -1,
    1e308,
    Number.NaN,
    null,
    true,
    [],
    {},
  ];
}

/** A value with one of its leaves, or the whole, replaced: every such variant. */
export function variants(value: unknown, replacement: unknown): unknown[] {
  const all = [replacement];
  if (Array.isArray(value)) {
    value.forEach((inner, at) => {
      for (const changed of variants(inner, replacement)) all.push(value.with(at, changed));
    });
  } else if (typeof value === "object" && value !== null && !(value instanceof Date)) {
    for (const [name, inner] of Object.entries(value)) {
      for (const changed of variants(inner, replacement)) all.push({ ...value, [name]: changed });
    }
  }
  return all;
}
