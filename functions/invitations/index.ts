import process from "node:process";
import { readVariable } from "../_shared/env.ts";
import { createMailer } from "../_shared/mailer.ts";
import { createApp } from "./app.ts";

const app = createApp({
  appUrl: () => readVariable("APP_URL"),
  mailer: () => createMailer(process.env),
});

export default { fetch: app.fetch };
