import { i32, i64, longText, shortText, u8, u16, utf16 } from "./bytes.ts";

export type Cell = string | number | bigint | boolean | null;

export interface Rowset {
  columns: string[];
  rows: Cell[][];
}

export interface ServerError {
  number: number;
  message: string;
  class?: number;
  state?: number;
}

const token = (id: number, ...parts: Buffer[]) => {
  const body = Buffer.concat(parts);
  return Buffer.concat([u8(id), u16(body.length), body]);
};

const message = (id: number) => (error: ServerError) =>
  token(
    id,
    i32(error.number),
    u8(error.state ?? 1),
    u8(error.class ?? 14),
    longText(error.message),
    shortText("TESTSQL"),
    shortText(""),
    i32(1),
  );
export const errorToken = message(0xaa);
export const infoToken = message(0xab);

const collation = Buffer.from([0x09, 0x04, 0xd0, 0x00, 0x34]);
const change = (type: number, value: string) => token(0xe3, u8(type), shortText(value), shortText(""));

/** Sends the client to another server: [MS-TDS] ENVCHANGE 20. */
export function routingToken({ host, port }: { host: string; port: number }): Buffer {
  const route = Buffer.concat([u8(0), u16(port), longText(host)]);
  return token(0xe3, u8(20), u16(route.length), route, u16(0));
}

/** Says that a transaction has begun: [MS-TDS] ENVCHANGE 8. */
export const transactionToken = () => token(0xe3, u8(8), u8(8), i64(1), u8(0));

const doneStatus = { final: 0, error: 0x02, count: 0x10, attention: 0x20 } as const;
const done = (status: number, rows = 0) => Buffer.concat([u8(0xfd), u16(status), u16(0xc1), i64(rows)]);
export const doneToken = () => done(doneStatus.final);
export const failedToken = () => done(doneStatus.error);
export const attentionToken = () => done(doneStatus.attention);

/** All that follows a successful login. */
export function loggedIn(database: string, packetSize = 4096): Buffer {
  return Buffer.concat([
    change(1, database),
    infoToken({ number: 5701, class: 0, message: `Changed database context to '${database}'.` }),
    token(0xe3, u8(7), u8(collation.length), collation, u8(0)),
    change(2, "us_english"),
    change(4, String(packetSize)),
    token(
      0xad,
      u8(1),
      Buffer.from([0x74, 0, 0, 4]),
      shortText("Microsoft SQL Server"),
      Buffer.from([16, 0, 0x10, 0x04]),
    ),
    done(doneStatus.final),
  ]);
}

interface ColumnType {
  info: Buffer;
  write: (value: Cell) => Buffer;
}

const integers: ColumnType = {
  info: Buffer.from([0x26, 8]),
  write: (value) => (value === null ? u8(0) : Buffer.concat([u8(8), i64(value as number | bigint)])),
};
const bits: ColumnType = {
  info: Buffer.from([0x68, 1]),
  write: (value) => (value === null ? u8(0) : Buffer.from([1, value ? 1 : 0])),
};
// nvarchar(max), in one chunk.
const texts: ColumnType = {
  info: Buffer.concat([u8(0xe7), u16(0xffff), collation]),
  write: (value) => {
    if (value === null) return Buffer.alloc(8, 0xff);
    const data = utf16(String(value));
    return Buffer.concat([i64(data.length), ...(data.length > 0 ? [i32(data.length), data] : []), i32(0)]);
  },
};

function typeOf(value: Cell | undefined): ColumnType {
  if (typeof value === "number" || typeof value === "bigint") return integers;
  return typeof value === "boolean" ? bits : texts;
}

/** A rowset: numbers as bigint, the rest as nvarchar(max) or bit, by the first value of each column. */
export function rowsetTokens({ columns, rows }: Rowset): Buffer {
  const types = columns.map((_, at) => typeOf(rows.find((row) => row[at] !== null)?.[at]));
  return Buffer.concat([
    u8(0x81),
    u16(columns.length),
    ...columns.flatMap((name, at) => [i32(0), u16(0x09), (types[at] ?? texts).info, shortText(name)]),
    ...rows.flatMap((row) => [u8(0xd1), ...row.map((value, at) => (types[at] ?? texts).write(value))]),
    done(doneStatus.count, rows.length),
  ]);
}
