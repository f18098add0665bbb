import process from "node:process";
import { readVariable } from "../_shared/env.ts";
import { createMongo } from "../_shared/mongo.ts";
import { createStripe } from "../_shared/stripe.ts";
import { createApp } from "./app.ts";
import { outboxConsumers } from "./consumers.ts";

const mongo = createMongo({ uri: () => readVariable("MONGODB_URI") });
const stripe = createStripe();

const app = createApp({ consumers: outboxConsumers(mongo, stripe, process.env) });

export default { fetch: app.fetch };
