// Whatever bytes come, the server answers or hangs up, and goes on for everybody else.
import { BSON, type Document } from "bson";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, message, type RawConnection } from "./raw.ts";
import { own, uri } from "./support.ts";

const INTERNAL_ERROR = 1;

// A mongod is not ours to break.
describe.runIf(own)("broken messages", () => {
  let witness: RawConnection;
  beforeAll(async () => {
    witness = await connect(uri);
  });
  afterAll(() => witness.end());

  const alive = async () => expect(await witness.command({ ping: 1, $db: "admin" })).toEqual({ ok: 1 });

  /** What becomes of the bytes when nothing comes after them. */
  async function sent(bytes: Uint8Array): Promise<Document | undefined> {
    const connection = await connect(uri);
    connection.send(bytes);
    const answer = connection.answer();
    await connection.end();
    return answer;
  }

  const find = message({ find: "c", filter: { a: { $gt: 1 }, b: ["x", { y: null }] }, $db: "broken" });
  const insert = message({ insert: "c", documents: [{ a: 1, b: { c: [1, "x"] } }], $db: "broken" });
  const header = (length: number, operation: number, rest: number) => {
    const bytes = Buffer.alloc(16 + rest);
    bytes.writeInt32LE(length, 0);
    bytes.writeInt32LE(operation, 12);
    return bytes;
  };

  test.each<[string, Buffer]>([
    ["a negative length", header(-1, 2013, 0)],
    ["a length of 0", header(0, 2013, 0)],
    ["a length shorter than a header", header(15, 2013, 0)],
    ["a length beyond the longest message", header(0x7fffffff, 2013, 0)],
    ["nothing but a header", header(16, 2013, 0)],
    ["an unknown operation", header(36, 9999, 20)],
    ["a compressed message, which nobody has agreed on", header(36, 2012, 20)],
    ["an insert as of old", header(36, 2002, 20)],
    ["flags that must be understood", message({ ping: 1, $db: "admin" }, 0x10)],
    ["a wrong checksum", Buffer.concat([message({ ping: 1, $db: "admin" }, 1)])],
    ["a body that is longer than its message", corrupted(find, 21, 0x7fffffff)],
    ["a body of a negative length", corrupted(find, 21, -5)],
    ["GET / HTTP/1.1", Buffer.from("GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")],
  ])("%s", async (_name, bytes) => {
    expect(await sent(bytes)).toBeUndefined();
    await alive();
  });

  function corrupted(bytes: Buffer, at: number, value: number): Buffer {
    const copy = Buffer.from(bytes);
    copy.writeInt32LE(value, at);
    return copy;
  }

  test("every beginning of a message", async () => {
    for (let length = 0; length < find.length; length++) {
      expect(await sent(find.subarray(0, length))).toBeUndefined();
    }
    await alive();
  });

  test("a message byte by byte is one like any other", async () => {
    const connection = await connect(uri);
    for (const byte of find) connection.send(Buffer.of(byte));
    expect(await connection.answer()).toMatchObject({ ok: 1 });
    await connection.end();
  });

  test("many messages in one piece are answered in their order", async () => {
    const connection = await connect(uri);
    const commands = Array.from({ length: 50 }, (_, i) =>
      message({ count: "c", query: { a: i }, limit: 1, $db: "broken" }),
    );
    connection.send(Buffer.concat([...commands, message({ nosuch: 1, $db: "broken" })]));
    for (const _ of commands) expect(await connection.answer()).toMatchObject({ ok: 1 });
    expect(await connection.answer()).toMatchObject({ ok: 0, code: 59 });
    await connection.end();
  });

  test("documents nested too deeply are refused", async () => {
    for (const depth of [181, 300, 5_000, 200_000]) {
      let body = BSON.serialize({});
      // Each level is a document around the one before it.
      const levels = Buffer.alloc(depth * 8 + body.length);
      let length = levels.length;
      let at = 0;
      for (let level = 0; level < depth; level++) {
        levels.writeInt32LE(length, at);
        levels[at + 4] = 0x03;
        levels.write("a\0", at + 5, "latin1");
        at += 7;
        length -= 8;
      }
      levels.set(body, at);
      body = levels;
      const bytes = message({});
      const command = Buffer.concat([
        Buffer.from([0x02]),
        Buffer.from("find\0\x02\0\0\0c\0", "latin1"),
        Buffer.from([0x03]),
        Buffer.from("filter\0", "latin1"),
        body,
        Buffer.from([0x02]),
        Buffer.from("$db\0\x02\0\0\0d\0", "latin1"),
      ]);
      const document = Buffer.alloc(4 + command.length + 1);
      document.writeInt32LE(document.length, 0);
      document.set(command, 4);
      const whole = Buffer.concat([bytes.subarray(0, 21), document]);
      whole.writeInt32LE(whole.length, 0);
      expect(await sent(whole)).toMatchObject({ ok: 0, code: 15 });
    }
    await alive();
  });

  test("10,000 messages with bytes changed, taken out and put in", async () => {
    const change = fc.record({
      at: fc.nat({ max: 400 }),
      bytes: fc.uint8Array({ maxLength: 4 }),
      remove: fc.nat({ max: 3 }),
    });
    let answered = 0;
    let hungUp = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.tuple(
            fc.constantFrom(find, insert),
            fc.array(change, { minLength: 1, maxLength: 4 }),
            fc.boolean(),
          ),
          {
            minLength: 20,
            maxLength: 20,
          },
        ),
        async (batch) => {
          await Promise.all(
            batch.map(async ([original, changes, fits]) => {
              let bytes = Buffer.from(original);
              for (const { at, bytes: put, remove } of changes) {
                const place = 16 + (at % (bytes.length - 16));
                bytes = Buffer.concat([bytes.subarray(0, place), put, bytes.subarray(place + remove)]);
              }
              if (fits) bytes.writeInt32LE(bytes.length, 0); // the frame is right, what is in it is not
              const answer = await sent(bytes);
              if (answer) answered++;
              else hungUp++;
              if (answer?.["ok"] === 0) expect(answer["code"]).not.toBe(INTERNAL_ERROR);
            }),
          );
        },
      ),
      { numRuns: 500, endOnFailure: true },
    );
    expect(answered + hungUp).toBe(10_000);
    for (const some of [answered, hungUp]) expect(some).toBeGreaterThan(1_000); // both doors were tried
    await alive();
  });

  test("garbage", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (bytes) => {
        await sent(bytes);
      }),
      { numRuns: 1_000 },
    );
    await alive();
  });
});
