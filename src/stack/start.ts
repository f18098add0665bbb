// `npm start`: the whole backend in the foreground, until Ctrl-C.
import process from "node:process";
import { explain } from "./failure.ts";
import { startMaintenanceTimer, TIMER_REQUEST_ID } from "./maintenance-timer.ts";
import { onNpmEnd } from "./npm.ts";
import { startOptions, usage } from "./options.ts";
import { print, showStep } from "./progress.ts";
import { type Stack, startStack } from "./stack.ts";
import { welcome } from "./welcome.ts";

const interruption = new AbortController();
let starting: Promise<Stack> | undefined;

// Asked for again, it goes on: npm passes on the Ctrl-C that this process has had from the terminal already.
async function stop(code: number, message: string): Promise<void> {
  if (interruption.signal.aborted) return;
  interruption.abort();
  if (code === 0) print(`\n${message}`);
  else console.error(`\n✗ ${message}\n`);
  const stack = await starting?.catch(() => undefined);
  await stack?.stop();
  process.exit(code);
}

for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(name, () => void stop(0, "Stopping …"));
}
// The terminal is gone.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => void stop(0, ""));
process.on("uncaughtException", (error) => void stop(1, explain(error)));
onNpmEnd(() => void stop(0, "npm has ended. Stopping …"));

try {
  const options = startOptions();
  if (options.help) {
    console.log(usage);
    process.exit(0);
  }
  const begun = performance.now();
  starting = startStack({
    ...options,
    watch: true,
    sellPlans: true,
    step: showStep,
    onMail: ({ to, subject, text }) => print(`\n✉ to ${to}: ${subject}\n${text}\n`),
    onFunctionLine: (name, line) => {
      if (!line.includes(TIMER_REQUEST_ID)) print(`[${name}] ${line}`);
    },
    onLate: (part) => print(`! ${part} did not stop in time, and is ended.`),
    signal: interruption.signal,
  });
  const stack = await starting;
  print(welcome(stack, performance.now() - begun));
  const endTimer = startMaintenanceTimer(stack, (problem) => print(`! ${problem}`));
  interruption.signal.addEventListener("abort", endTimer);
  void stack.broken.then((reason) => stop(1, reason));
} catch (error) {
  if (!interruption.signal.aborted) {
    console.error(`\n✗ ${explain(error)}\n`);
    process.exit(1);
  }
}
