import { randomUUID } from "node:crypto";
import type { Db } from "mongodb";
import { createRecorder } from "../functions/_documents/activity-recorder.ts";
import { createDocuments } from "../functions/_documents/documents.ts";
import { newId } from "../functions/_documents/id.ts";
import { createStores } from "../functions/_documents/stores.ts";
import { createMongo } from "../functions/_shared/mongo.ts";
import type { Report } from "./bench.ts";
import { median, sideBySide } from "./side-by-side.ts";

const ROUNDS = 500;
const EVENTS = 20_000;
const BATCH = 1_000;
const TURNS = 5;

/** What a hit of the cache costs against a miss, and how fast activity is written against a bare insertMany. */
export async function documentFigures(mongoUri: string, database: Db, report: Report): Promise<void> {
  const mongo = createMongo({ uri: () => mongoUri });
  const log = () => {};
  const stores = createStores(createDocuments({ mongo, log }));
  try {
    await cacheFigures(stores.cache, report);
    await activityFigures(stores.activity, database, report);
  } finally {
    await mongo.close();
  }
}

type Stores = ReturnType<typeof createStores>;

async function cacheFigures(cache: Stores["cache"], report: Report): Promise<void> {
  const organization = randomUUID();
  const workflow_id = randomUUID();
  const answer = { status: 200, content_type: "application/json", body: JSON.stringify("x".repeat(4_000)) };
  const settings = { ttl_seconds: 3600, limit: null };
  // What is made costs nothing here: the difference is the cache's own.
  const ask = (n: number) =>
    cache.through(
      organization,
      { workflow_id, workflow_version: 1, parameters: { n } },
      settings,
      async () => answer,
    );
  await ask(0);
  let n = 0;
  report.step(`${ROUNDS} answers of ${answer.body.length} bytes from the cache, and as many through it`);
  const times = await sideBySide({ hit: () => ask(0), miss: () => ask(++n) }, ROUNDS);
  for (const [name, ms] of Object.entries(times)) report.row({ what: `cache ${name}`, ms: ms.toFixed(3) });
  report.ratio("cache_hit_vs_miss", times.hit / times.miss);
}

async function activityFigures(activity: Stores["activity"], database: Db, report: Report): Promise<void> {
  const organization_id = randomUUID();
  const [actor, object] = [randomUUID(), randomUUID()];
  const insertMany = async () => {
    const expires_at = new Date(Date.now() + 7 * 86_400_000);
    for (let done = 0; done < EVENTS; done += BATCH) {
      const documents = Array.from({ length: BATCH }, () => ({
        _id: newId() as never,
        organization_id,
        actor_kind: "user",
        actor_id: actor,
        action: "bench.write",
        object_kind: "bench",
        object_id: object,
        expires_at,
      }));
      await database
        .collection("activity")
        .insertMany(documents, { ordered: false, writeConcern: { w: "majority" } });
    }
  };
  const record = async () => {
    const recorder = createRecorder({ activity, daysOf: async () => 7, capacity: EVENTS, batch: BATCH });
    for (let n = 0; n < EVENTS; n++) {
      recorder.record({
        organization_id,
        actor: { kind: "user", id: actor },
        action: "bench.write",
        object: { kind: "bench", id: object },
      });
    }
    await recorder.close();
    const { written } = recorder.figures();
    if (written !== EVENTS) throw new Error(`${written} of ${EVENTS} events were written`);
  };
  report.step(`${EVENTS} events recorded, and as many documents by insertMany, ${TURNS} times in turn`);
  const ways = { insertMany, record };
  const rates: Record<keyof typeof ways, number[]> = { insertMany: [], record: [] };
  await insertMany();
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [name, way] of Object.entries(ways)) {
      // Both write into an empty collection.
      await database.collection("activity").deleteMany({});
      const start = performance.now();
      await way();
      rates[name as keyof typeof ways].push(EVENTS / ((performance.now() - start) / 1000));
    }
  }
  const [bare, recorded] = [median(rates.insertMany), median(rates.record)];
  report.row({ what: "activity insertMany", "per second": Math.round(bare) });
  report.row({ what: "activity recorded", "per second": Math.round(recorded) });
  report.ratio("activity_vs_insertmany", recorded / bare);
}
