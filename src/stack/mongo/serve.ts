// The server as a process of its own: `node src/stack/mongo/serve.ts --port 0 --directory DIR`. Its URI is the line it
// prints; SIGINT and SIGTERM end it in order, and with --with-parent so does the end of its standard input.
import process from "node:process";
import { parseArgs } from "node:util";
import { startServer } from "./server.ts";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    directory: { type: "string" },
    "not-durable": { type: "boolean", default: false },
    "with-parent": { type: "boolean", default: false },
  },
});

const server = await startServer({
  directory: values.directory,
  port: Number(values.port),
  durable: !values["not-durable"],
});
let ending = false;
const end = () => {
  if (!ending) void server.close().then(() => process.exit(0));
  ending = true;
};
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, end);
if (values["with-parent"]) process.stdin.on("close", end).on("error", end).resume();
console.log(server.uri);
