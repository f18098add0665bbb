import canonicalize from "canonicalize";
import { routeOf } from "./trigger.ts";
import type { WorkflowDefinition } from "./workflow.ts";

/** What is stored of a definition: its canonical text (RFC 8785), that text's hash, and what is looked for in it. */
export interface Content {
  definition: string;
  /** SHA-256 in hex. */
  content_hash: string;
  trigger: "http" | "schedule";
  /** What an HTTP trigger claims, such as `GET /orders/{}`. */
  route?: string;
  connection_ids: string[];
}

export async function contentOf(definition: WorkflowDefinition): Promise<Content> {
  const text = canonicalize(definition) ?? "";
  const route = routeOf(definition.trigger);
  return {
    definition: text,
    content_hash: await hashOf(text),
    trigger: definition.trigger.type,
    ...(route && { route }),
    connection_ids: connectionsOf(definition),
  };
}

export function connectionsOf({ steps }: WorkflowDefinition): string[] {
  return [...new Set(steps.flatMap((step) => step.type === "sql" ? [step.connection.toLowerCase()] : []))]
    .sort();
}

export async function hashOf(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
