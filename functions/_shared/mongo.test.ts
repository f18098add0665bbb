import assert from "node:assert/strict";
import { AppError } from "./errors.ts";
import { createMongo, type Mongo } from "./mongo.ts";
import { test, testMongoUri } from "../_documents/testing.ts";
import { closedPort, listenSilently } from "./testing.ts";

const ping = (mongo: Mongo) => mongo.run((database) => database.command({ ping: 1 }));

function assertUnavailable(error: unknown): true {
  assert.ok(error instanceof AppError);
  assert.equal(error.code, "mongodb_unavailable");
  assert.equal(error.status, 503);
  assert.doesNotMatch(error.message, /127\.0\.0\.1/);
  return true;
}

test("503 where there is no MongoDB", async () => {
  const mongo = createMongo({ uri: () => undefined });
  await assert.rejects(ping(mongo), assertUnavailable);
  await mongo.close();
});

test("503 when the server refuses, and again when asked again", async () => {
  const mongo = createMongo({ uri: () => `mongodb://127.0.0.1:${closedPort()}/x`, selectionTimeoutMs: 200 });
  await assert.rejects(ping(mongo), assertUnavailable);
  await assert.rejects(ping(mongo), assertUnavailable);
  await mongo.close();
});

test("503 when the server does not answer", async () => {
  const silent = listenSilently();
  const mongo = createMongo({ uri: () => `mongodb://127.0.0.1:${silent.port}/x`, selectionTimeoutMs: 200 });
  await assert.rejects(ping(mongo), assertUnavailable);
  await mongo.close();
  silent.close();
});

test("503 when the server has ended the connection that the driver writes to", async () => {
  const mongo = createMongo({ uri: testMongoUri });
  // What a socket throws then, and the driver gives on as it is.
  const ended = Object.assign(new Error("This socket has been ended by the other party"), { code: "EPIPE" });
  await assert.rejects(mongo.run(() => Promise.reject(ended)), assertUnavailable);
  await mongo.close();
});

test("an error of the work itself is left alone", async () => {
  const mongo = createMongo({ uri: () => "not a uri" });
  await assert.rejects(ping(mongo), { name: "MongoParseError" });
  await mongo.close();
});
