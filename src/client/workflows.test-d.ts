// Checked by tsc, never run.
import { createNectarClient, type WorkflowDefinition } from "./index.ts";

const { workflows } = createNectarClient({
  url: "http://127.0.0.1:54321",
  publishableKey: "sb_publishable_x",
});

export async function workflowsAreTyped() {
  const { data, error } = await workflows.get("organization", "id");
  if (error) {
    if (error.code === "workflow_not_found" || error.code === "not_permitted") return data satisfies null;
    // @ts-expect-error: not one of the codes a function can answer with
    return error.code === "no_such_code";
  }
  const etag: string = data.etag;
  const definition: WorkflowDefinition = data.definition;
  // @ts-expect-error: a change says which revision it is made on
  await workflows.replace("organization", "id", { name: "A", slug: "a", definition }, {});
  // @ts-expect-error: there is no such state
  workflows.list("organization", { state: "gone" });
  for await (const page of workflows.list("organization")) {
    const first: string | undefined = page.data?.[0]?.slug;
    // @ts-expect-error: a list has no definitions
    page.data?.[0]?.definition;
    if (first) return first;
  }
  const published = await workflows.publish("organization", "id", { etag, note: "first" });
  return published.data?.version.number satisfies number | undefined;
}

export const definition: WorkflowDefinition = {
  format: "nectar.workflow/1",
  trigger: { type: "schedule", cron: "0 6 * * 1" },
  start: "clean",
  steps: [
    {
      id: "clean",
      type: "sql",
      connection: "0b9f2f9e-6a3c-4b69-9d4b-6f2f8f0f6a11",
      statement: "delete from old_orders where day < :day",
      // @ts-expect-error: a bound value is a constant, a parameter or a pointer
      parameters: { day: { expression: "now()" } },
    },
  ],
  edges: [],
};
