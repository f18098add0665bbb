// `npm start`: the whole backend in the foreground, until Ctrl-C.
import { existsSync } from "node:fs";
import process from "node:process";
import { StackFailure } from "./failure.ts";
import { startMaintenanceTimer } from "./maintenance-timer.ts";
import { startOptions, usage } from "./options.ts";
import { showStep } from "./progress.ts";
import { repository } from "./repository.ts";
import { type Stack, startStack } from "./stack.ts";
import { welcome } from "./welcome.ts";

let stack: Stack | undefined;
let stopping = false;

async function stop(code: number): Promise<never> {
  if (stopping) process.exit(130); // asked twice: at once, and the watchdog ends the rest
  stopping = true;
  await stack?.stop();
  process.exit(code);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    console.log("\nStopping …");
    // Still starting: the watchdog ends what there is when this process goes.
    void stop(0);
  });
}

try {
  const options = startOptions();
  if (options.help) {
    console.log(usage);
    process.exit(0);
  }
  if (!existsSync(repository("node_modules/.bin/supabase"))) {
    throw new StackFailure("The packages are not installed. Run `npm ci` first.");
  }
  const begun = performance.now();
  stack = await startStack({
    ...options,
    watch: true,
    step: showStep,
    onMail: ({ to, subject, text }) => console.log(`\n✉ to ${to}: ${subject}\n${text}\n`),
    onFunctionLine: (name, line) => console.log(`[${name}] ${line}`),
  });
  console.log(welcome(stack, performance.now() - begun));
  startMaintenanceTimer(stack, (problem) => console.error(`! ${problem}`));
  void stack.broken.then(async (reason) => {
    if (stopping) return;
    console.error(`\n✗ ${reason}`);
    await stop(1);
  });
} catch (error) {
  if (stopping) process.exit(0);
  console.error(error instanceof StackFailure ? `\n✗ ${error.message}\n` : error);
  process.exit(1);
}
