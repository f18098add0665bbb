// Ends the stack's processes when the stack itself is gone, however it went: its end of our standard input
// closes even on kill -9. Each line on it is the list of processes there are now; an empty one, nothing to do.
import { createInterface } from "node:readline";
import { endProcesses } from "./running.ts";

let processes: number[] = [];
process.on("SIGINT", () => {}); // a Ctrl-C in the terminal is the stack's to answer
for await (const line of createInterface({ input: process.stdin })) processes = JSON.parse(line) as number[];
await endProcesses(processes);
