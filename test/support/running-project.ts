import { readFileSync } from "node:fs";
import path from "node:path";
import { startOptions } from "../../src/stack/options.ts";
import { publicProject } from "./project-of-environment.ts";

/** The project that the environment names, else the local stack that is running. Ends the process if there is none. */
export async function runningProject(): Promise<{ url: string; publishableKey: string }> {
  const given = publicProject(process.env);
  if (given) return given;
  const { directory } = startOptions([]);
  try {
    const read = (name: string) => JSON.parse(readFileSync(path.join(directory, name), "utf8"));
    const { url } = read("running.json") as { url: string };
    const { publishableKey } = read("keys.json") as { publishableKey: string };
    await fetch(`${url}/functions/v1/health`);
    return { url, publishableKey };
  } catch {
    console.error("✗ Nothing is running here. Type `npm start` in another terminal, then come back.");
    process.exit(1);
  }
}
