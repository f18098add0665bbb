// Ends the stack's processes when the stack itself is gone, however it went: its end of our standard input
// closes even on kill -9. Each line on it is the list of processes there are now.
import { createInterface } from "node:readline";
import { endProcesses, type Process } from "./processes.ts";

let processes: Process[] = [];
for await (const line of createInterface({ input: process.stdin })) processes = JSON.parse(line) as Process[];
await endProcesses(processes);
