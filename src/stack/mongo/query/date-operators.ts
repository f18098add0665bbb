import { ObjectId, Timestamp } from "bson";
import { badValue, failure, notSupported } from "../errors.ts";
import { isDocument, typeName } from "../values.ts";
import { isNothing, type Operator, type Operators } from "./operator.ts";

const DAY_MS = 86_400_000;

function toTime(value: unknown): Date {
  if (value instanceof Date) return value;
  if (value instanceof ObjectId) return value.getTimestamp();
  if (value instanceof Timestamp) return new Date(value.getHighBitsUnsigned() * 1_000);
  throw failure(16006, `can't convert from BSON type ${typeName(value)} to Date`);
}

/** A date whose UTC parts are the parts that the other has in its time zone. */
function local(date: Date, zone: unknown): Date {
  if (isNothing(zone) || zone === "UTC" || zone === "GMT" || zone === "Z") return date;
  if (typeof zone !== "string") throw failure(40517, "timezone must evaluate to a string");
  const [, sign, hours, minutes = "0"] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? [];
  if (sign) {
    const offset = (Number(hours) * 60 + Number(minutes)) * 60_000;
    return new Date(date.getTime() + (sign === "-" ? -offset : offset));
  }
  let parts: Intl.DateTimeFormatPart[];
  try {
    parts = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    }).formatToParts(date);
  } catch {
    throw failure(40485, `unrecognized time zone identifier: "${zone}"`);
  }
  const part = (type: string) => Number(parts.find((one) => one.type === type)?.value);
  return new Date(
    Date.UTC(
      part("year"),
      part("month") - 1,
      part("day"),
      part("hour"),
      part("minute"),
      part("second"),
      date.getUTCMilliseconds(),
    ),
  );
}

/** A part of a date: of `date`, or of `{ date, timezone }`. */
function part(name: string, compute: (date: Date) => number): Operator {
  return (each, argument) => {
    const given = Array.isArray(argument) && argument.length === 1 ? argument[0] : argument;
    const named = isDocument(given) && Object.hasOwn(given, "date");
    if (named) {
      for (const own of Object.keys(given)) {
        if (own !== "date" && own !== "timezone")
          throw failure(40535, `unrecognized option to ${name}: "${own}"`);
      }
    }
    const value = each(named ? given["date"] : given);
    const zone = named && given["timezone"] !== undefined ? each(given["timezone"]) : undefined;
    if (isNothing(value) || zone === null) return null;
    return compute(local(toTime(value), zone));
  };
}

const dayOfYear = (date: Date) =>
  Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / DAY_MS) + 1;

/** The Thursday of a date's week: the year it is in is the week's. */
const thursday = (date: Date) => new Date(date.getTime() + (4 - (date.getUTCDay() || 7)) * DAY_MS);

/** Months later, or the last day of that month where it is too short. */
function addMonths(date: Date, months: number): Date {
  const later = new Date(date);
  later.setUTCDate(1);
  later.setUTCMonth(later.getUTCMonth() + months);
  const last = new Date(Date.UTC(later.getUTCFullYear(), later.getUTCMonth() + 1, 0)).getUTCDate();
  later.setUTCDate(Math.min(date.getUTCDate(), last));
  return later;
}

const MILLISECONDS: Record<string, number> = {
  week: 7 * DAY_MS,
  day: DAY_MS,
  hour: 3_600_000,
  minute: 60_000,
  second: 1_000,
  millisecond: 1,
};
const MONTHS: Record<string, number> = { year: 12, quarter: 3, month: 1 };

function shift(name: string, sign: 1 | -1): Operator {
  return (each, argument) => {
    if (!isDocument(argument)) throw failure(5166400, `${name} expects an object of named arguments`);
    for (const own of Object.keys(argument)) {
      if (!["startDate", "unit", "amount", "timezone"].includes(own)) {
        throw failure(5166401, `Unrecognized argument to ${name}: ${own}`);
      }
    }
    const zone = argument["timezone"] === undefined ? undefined : each(argument["timezone"]);
    if (!isNothing(zone) && zone !== "UTC" && zone !== "GMT") throw notSupported(`${name} with a time zone`);
    const [start, unit, amount] = ["startDate", "unit", "amount"].map((own) => each(argument[own]));
    if (isNothing(start) || isNothing(unit) || isNothing(amount) || zone === null) return null;
    if (!Number.isInteger(amount)) throw failure(5166405, `${name} expects a whole number as amount`);
    const by = (amount as number) * sign;
    if (typeof unit === "string" && Object.hasOwn(MONTHS, unit)) {
      return addMonths(toTime(start), by * (MONTHS[unit] as number));
    }
    if (typeof unit === "string" && Object.hasOwn(MILLISECONDS, unit)) {
      return new Date(toTime(start).getTime() + by * (MILLISECONDS[unit] as number));
    }
    throw badValue(`unknown time unit value: ${String(unit)}`);
  };
}

const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const EPOCH_WEEKDAY = 4;

/** How many boundaries of the unit lie before a date. */
function boundaries(date: Date, unit: string, startOfWeek: number): number {
  if (Object.hasOwn(MONTHS, unit)) {
    return Math.floor((date.getUTCFullYear() * 12 + date.getUTCMonth()) / (MONTHS[unit] as number));
  }
  if (unit !== "week") return Math.floor(date.getTime() / (MILLISECONDS[unit] as number));
  return Math.floor((Math.floor(date.getTime() / DAY_MS) + EPOCH_WEEKDAY - startOfWeek) / 7);
}

const dateDiff: Operator = (each, argument) => {
  if (!isDocument(argument)) throw failure(5166301, "$dateDiff expects an object of named arguments");
  const known = ["startDate", "endDate", "unit", "timezone", "startOfWeek"];
  for (const own of Object.keys(argument)) {
    if (!known.includes(own)) throw failure(5166302, `Unrecognized argument to $dateDiff: ${own}`);
  }
  const [start, end, unit, zone = undefined, weekday = "sunday"] = known.map((own) =>
    argument[own] === undefined ? undefined : each(argument[own]),
  );
  if (isNothing(start) || isNothing(end) || isNothing(unit) || zone === null || weekday === null) return null;
  if (typeof unit !== "string" || !(Object.hasOwn(MONTHS, unit) || Object.hasOwn(MILLISECONDS, unit))) {
    throw badValue(`unknown time unit value: ${String(unit)}`);
  }
  const startOfWeek = WEEKDAYS.findIndex((name) => {
    const given = String(weekday).toLowerCase();
    return name === given || name.slice(0, 3) === given;
  });
  if (startOfWeek < 0) throw badValue(`unknown day of week value: ${String(weekday)}`);
  // Hours and what is shorter pass alike in every time zone.
  const own = unit in MONTHS || unit === "week" || unit === "day" ? zone : undefined;
  const [from, to] = [start, end].map((one) => boundaries(local(toTime(one), own), unit, startOfWeek)) as [
    number,
    number,
  ];
  return to - from;
};

export const dates: Operators = {
  $year: part("$year", (date) => date.getUTCFullYear()),
  $month: part("$month", (date) => date.getUTCMonth() + 1),
  $dayOfMonth: part("$dayOfMonth", (date) => date.getUTCDate()),
  $hour: part("$hour", (date) => date.getUTCHours()),
  $minute: part("$minute", (date) => date.getUTCMinutes()),
  $second: part("$second", (date) => date.getUTCSeconds()),
  $millisecond: part("$millisecond", (date) => date.getUTCMilliseconds()),
  $dayOfYear: part("$dayOfYear", dayOfYear),
  $dayOfWeek: part("$dayOfWeek", (date) => date.getUTCDay() + 1),
  $isoDayOfWeek: part("$isoDayOfWeek", (date) => date.getUTCDay() || 7),
  // Weeks begin on Sundays; what comes before the first one is week 0.
  $week: part("$week", (date) => Math.floor((dayOfYear(date) + 6 - date.getUTCDay()) / 7)),
  $isoWeek: part("$isoWeek", (date) => Math.floor((dayOfYear(thursday(date)) - 1) / 7) + 1),
  $isoWeekYear: part("$isoWeekYear", (date) => thursday(date).getUTCFullYear()),
  $dateAdd: shift("$dateAdd", 1),
  $dateSubtract: shift("$dateSubtract", -1),
  $dateDiff: dateDiff,
};
