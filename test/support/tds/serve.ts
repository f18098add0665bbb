// The server as a process: prints its port and its authority's certificate as JSON, and ends with its input.
import process from "node:process";
import { startTdsServer, type TdsServerOptions } from "./server.ts";

const options = JSON.parse(process.argv[2] ?? "{}") as TdsServerOptions;
const server = await startTdsServer(options);
console.log(JSON.stringify({ port: server.port, ca: server.ca }));
process.stdin.resume();
process.stdin.once("end", () => void server.close());
