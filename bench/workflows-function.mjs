// The workflows function beside one that does nothing, for bench/workflows.ts: run by Deno, as the platform runs them.
import { createDocuments } from "../functions/_documents/documents.ts";
import { createStores } from "../functions/_documents/stores.ts";
import { createFunction } from "../functions/_shared/app.ts";
import { authenticate } from "../functions/_shared/auth.ts";
import { createMongo } from "../functions/_shared/mongo.ts";
import { contentOf } from "../functions/_workflows/content.ts";
import { orderWorkflow } from "../functions/_workflows/testing.ts";
import { createApp } from "../functions/workflows/app.ts";

const [port, secret, uri] = Deno.args;
const keys = {
  url: "http://127.0.0.1:1",
  secretKeys: { default: secret },
  publishableKeys: { default: "sb_publishable_bench" },
  jwks: null,
};
const log = () => {};
const mongo = createMongo({ uri: () => uri });
const { workflows, cache } = createStores(createDocuments({ mongo, log }));

const organizationId = crypto.randomUUID();
const content = await contentOf(orderWorkflow());
const about = { name: "Orders", slug: "orders", description: "", tags: [] };
const { _id: workflowId } = await workflows.create(organizationId, about, content, { limit: null });
await workflows.publish(organizationId, workflowId, 1, { note: "", route: content.route });

const app = createApp({ workflows, cache, keys, log });
const noop = createFunction({ name: "noop", log });
noop.get("/", authenticate("secret", keys), (c) => c.json({}));

Deno.serve(
  {
    port: Number(port),
    hostname: "127.0.0.1",
    onListen: () => console.log(JSON.stringify({ organizationId, workflowId })),
  },
  (request) => (new URL(request.url).pathname === "/noop" ? noop : app).fetch(request),
);
