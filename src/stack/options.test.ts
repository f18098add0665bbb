import { expect, test } from "vitest";
import { startOptions } from "./options.ts";
import { repository } from "./repository.ts";

test("without flags or environment, what the documents say", () => {
  expect(startOptions([], {})).toEqual({
    port: 54321,
    databasePort: 54330,
    stripePort: 54340,
    directory: repository(".nectar"),
    mongoUri: undefined,
    mongo: "find",
    reset: false,
    help: false,
  });
});

test("an empty variable is one that is not set", () => {
  const empty = { NECTAR_PORT: "", NECTAR_DB_PORT: "", NECTAR_DATA: "", MONGODB_URI: "" };
  expect(startOptions([], empty)).toEqual(startOptions([], {}));
});

test("a MongoDB of one's own, Nectar's, or none", () => {
  const uri = "mongodb://127.0.0.1:27017";
  expect(startOptions([], { MONGODB_URI: uri })).toMatchObject({ mongoUri: uri, mongo: "find" });
  for (const mongo of ["none", "own"]) {
    expect(startOptions([], { MONGODB_URI: mongo })).toMatchObject({ mongoUri: undefined, mongo });
  }
});

test.each([
  [{ NECTAR_PORT: "http" }, "NECTAR_PORT is http: expected a port between 1 and 65535."],
  [{ NECTAR_PORT: "0" }, "NECTAR_PORT is 0"],
  [{ NECTAR_DB_PORT: "70000" }, "NECTAR_DB_PORT is 70000"],
  [{ NECTAR_STRIPE_PORT: "54330" }, "NECTAR_DB_PORT and NECTAR_STRIPE_PORT are both 54330"],
  [{ NECTAR_DB_PORT: "54321" }, "NECTAR_PORT and NECTAR_DB_PORT are both 54321"],
])("%j is refused", (environment, message) => {
  expect(() => startOptions([], environment)).toThrow(message);
});

test("an unknown flag is refused, with the usage", () => {
  expect(() => startOptions(["--rest"], {})).toThrow(/^Unknown option '--rest'\n\nnpm start/);
});
