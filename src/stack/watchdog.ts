// Ends the stack's processes when the stack itself is gone, however it went: its end of our standard input
// closes even on kill -9. Each line on it is the list of processes there are now. Removes the folder it is given, too.
import { createInterface } from "node:readline";
import { endProcesses, type Process } from "./processes.ts";
import { removeScratch } from "./scratch.ts";

let processes: Process[] = [];
for await (const line of createInterface({ input: process.stdin })) processes = JSON.parse(line) as Process[];
await endProcesses(processes);
const [scratch] = process.argv.slice(2);
if (scratch) removeScratch(scratch);
