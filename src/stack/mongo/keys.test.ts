import {
  Binary,
  BSONRegExp,
  Decimal128,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
} from "bson";
import fc from "fast-check";
import { expect, test } from "vitest";
import { compare, equal, inverted, keyOf, successor } from "./keys.ts";

/** A number as a fraction, to compare it exactly and in another way. */
function fraction(value: Int32 | Double | Long | Decimal128): [bigint, bigint] {
  if (value instanceof Decimal128) {
    const [, digits = "", part = "", exponent = "0"] =
      /^(-?\d+)\.?(\d*)(?:E([+-]?\d+))?$/.exec(value.toString()) ?? [];
    const power = Number(exponent) - part.length;
    const whole = BigInt(digits.replace(/^-?/, (sign) => sign) + part);
    return power >= 0 ? [whole * 10n ** BigInt(power), 1n] : [whole, 10n ** BigInt(-power)];
  }
  if (value instanceof Long) return [value.toBigInt(), 1n];
  let [above, below] = [value.value, 1n];
  while (!Number.isInteger(above)) {
    above *= 2;
    below *= 2n;
  }
  return [BigInt(above), below];
}

const number = fc.oneof(
  fc.integer().map((value) => new Int32(value)),
  fc
    .double({ noNaN: true, noDefaultInfinity: true, min: -1e30, max: 1e30 })
    .map((value) => new Double(value)),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => Long.fromBigInt(value)),
  fc
    .tuple(fc.bigInt({ min: -(10n ** 33n), max: 10n ** 33n }), fc.integer({ min: -40, max: 20 }))
    .map(([digits, exponent]) => Decimal128.fromString(`${digits}E${exponent}`)),
  // Neighbours, where rounding would show.
  fc
    .tuple(fc.integer({ min: -3, max: 3 }), fc.constantFrom(2n ** 53n, 2n ** 62n, 10n ** 15n))
    .map(([step, near]) => Long.fromBigInt(near + BigInt(step))),
  fc.constantFrom(0.1, 9.99, 2 ** 53, 2 ** 62).map((value) => new Double(value)),
  fc.constantFrom("0.1", "9.99", "9007199254740993", "9007199254740992.5").map(Decimal128.fromString),
);

test("numbers of all types compare exactly", () => {
  fc.assert(
    fc.property(number, number, (a, b) => {
      const [[x, p], [y, q]] = [fraction(a), fraction(b)];
      const exact = x * q - y * p;
      expect(Math.sign(compare(a, b))).toBe(exact < 0n ? -1 : exact > 0n ? 1 : 0);
    }),
    { numRuns: 5_000 },
  );
});

test("numbers beyond all others", () => {
  const inOrder = [
    new Double(Number.NaN),
    new Double(Number.NEGATIVE_INFINITY),
    Decimal128.fromString("-1E6000"),
    new Double(-Number.MAX_VALUE),
    new Double(-5e-324),
    Decimal128.fromString("-1E-6000"),
    new Int32(0),
    Decimal128.fromString("1E-6000"),
    new Double(5e-324),
    new Double(Number.MAX_VALUE),
    Decimal128.fromString("1E6000"),
    new Double(Number.POSITIVE_INFINITY),
  ];
  for (const [i, a] of inOrder.entries()) {
    for (const [j, b] of inOrder.entries()) expect(Math.sign(compare(a, b))).toBe(Math.sign(i - j));
  }
  expect(equal(new Double(-0), new Int32(0))).toBe(true);
  expect(equal(new Double(Number.NaN), Decimal128.fromString("NaN"))).toBe(true);
  expect(equal(new Double(Number.POSITIVE_INFINITY), Decimal128.fromString("Infinity"))).toBe(true);
});

test("types come in MongoDB's order", () => {
  const inOrder = [
    new MinKey(),
    undefined,
    null,
    -5,
    "a",
    {},
    [],
    new Binary(Buffer.from("a")),
    new ObjectId(),
    false,
    true,
    new Date(-1),
    new Date(0),
    new Timestamp({ t: 1, i: 1 }),
    new BSONRegExp("a"),
    new MaxKey(),
  ];
  for (const [i, a] of inOrder.entries()) {
    for (const [j, b] of inOrder.entries()) expect(Math.sign(compare(a, b))).toBe(Math.sign(i - j));
  }
});

const text = fc.string({ unit: "binary" });

test("strings compare by their bytes, zero bytes and all", () => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(compare(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});

test("documents compare by type, name and value of their fields, in their order", () => {
  const inOrder = [{}, { a: 1 }, { a: 1, b: 1 }, { a: 2 }, { b: 1 }, { a: "x" }, { a: { b: 1 } }, { a: [1] }];
  for (const [i, a] of inOrder.entries()) {
    for (const [j, b] of inOrder.entries()) expect(Math.sign(compare(a, b))).toBe(Math.sign(i - j));
  }
  expect(equal({ x: 1, y: 2 }, { y: 2, x: 1 })).toBe(false);
});

const value = fc.oneof(
  text,
  number,
  fc.boolean(),
  fc.constant(null),
  fc.array(fc.integer()),
  fc.dictionary(fc.string({ minLength: 1, unit: "grapheme-ascii" }), fc.integer()),
);

test("keys are prefix-free, so that what follows one never changes its order", () => {
  fc.assert(
    fc.property(value, value, text, text, (a, b, c, d) => {
      const order = compare(a, b) || compare(c, d);
      const one = Buffer.concat([keyOf(a), keyOf(c)]);
      const other = Buffer.concat([keyOf(b), keyOf(d)]);
      expect(Math.sign(Buffer.compare(one, other))).toBe(Math.sign(order));
      expect(Math.sign(Buffer.compare(inverted(one), inverted(other)))).toBe(-Math.sign(order) + 0);
      expect(Buffer.compare(one, successor(keyOf(a)))).toBe(-1);
    }),
  );
});
