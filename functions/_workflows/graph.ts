import { collector, type Issue } from "./issues.ts";
import type { Edge, Step } from "./steps.ts";
import type { WorkflowDefinition } from "./workflow.ts";

type Graph = Pick<WorkflowDefinition, "start" | "steps" | "edges" | "trigger">;

/** What a branch may lead on: its cases, and `else`. */
const outcomesOf = (step: Step): (string | undefined)[] =>
  step.type === "branch" ? [...step.cases.map(({ name }) => name), "else"] : [undefined];

/** What is wrong with how the steps hang together. */
export function checkGraph({ start, steps, edges, trigger }: Graph): Issue[] {
  const { issues, add } = collector();
  const byId = new Map<string, Step>();
  steps.forEach((step, at) => {
    if (byId.has(step.id)) add(`another step is called ${step.id}`, "steps", at, "id");
    else byId.set(step.id, step);
    if (step.type === "branch") {
      const names = step.cases.map(({ name }) => name);
      names.forEach((name, nth) => {
        if (name === "else" || names.indexOf(name) !== nth) {
          add(`another case is called ${name}`, "steps", at, "cases", nth, "name");
        }
      });
    }
    if (step.type === "respond" && trigger.type === "schedule") {
      add("a schedule has nobody to respond to", "steps", at, "type");
    }
  });
  if (!byId.has(start)) add(`there is no step ${start}`, "start");

  const outgoing = new Map<string, Edge[]>();
  edges.forEach((edge, at) => {
    const from = byId.get(edge.from);
    if (!from) add(`there is no step ${edge.from}`, "edges", at, "from");
    if (!byId.has(edge.to)) add(`there is no step ${edge.to}`, "edges", at, "to");
    if (!from) return;
    const siblings = outgoing.get(edge.from) ?? [];
    if (from.type === "respond") add("nothing comes after a response", "edges", at);
    else if (!outcomesOf(from).includes(edge.on)) {
      add(
        from.type === "branch"
          ? "expected one of the branch's cases, or else"
          : "only a branch leads on by cases",
        "edges",
        at,
        "on",
      );
    } else if (siblings.some(({ on }) => on === edge.on)) {
      add(`${edge.from} leads on twice${edge.on ? ` for ${edge.on}` : ""}`, "edges", at);
    }
    outgoing.set(edge.from, [...siblings, edge]);
  });

  const answers = trigger.type === "http";
  steps.forEach((step, at) => {
    if (step.type === "respond") return;
    const taken = (outgoing.get(step.id) ?? []).map(({ on }) => on);
    for (const outcome of outcomesOf(step)) {
      if (taken.includes(outcome)) continue;
      // A schedule may end with any step, a request must be answered whatever happens.
      if (answers) add(`${outcome ? `for ${outcome} ` : ""}it leads to no response`, "steps", at);
    }
  });

  const reached = reachable(start, outgoing);
  steps.forEach(({ id }, at) => {
    if (!reached.has(id)) add("no way leads here", "steps", at);
  });
  for (const at of cycleEdges(edges)) add("this leads back in a circle", "edges", at);
  return issues;
}

function reachable(start: string, outgoing: Map<string, Edge[]>): Set<string> {
  const reached = new Set([start]);
  for (const id of reached) for (const { to } of outgoing.get(id) ?? []) reached.add(to);
  return reached;
}

/** The edges that no order of steps can satisfy: those left when steps without open predecessors are taken away. */
function cycleEdges(edges: readonly Edge[]): number[] {
  let left = edges.map((edge, at) => ({ ...edge, at }));
  for (;;) {
    const targets = new Set(left.map(({ to }) => to));
    const sources = new Set(left.map(({ from }) => from));
    const kept = left.filter(({ from, to }) => targets.has(from) && sources.has(to));
    if (kept.length === left.length) return kept.map(({ at }) => at);
    left = kept;
  }
}

/** For each step, those that may run before it. Asked of a graph without cycles. */
export function predecessors(edges: readonly Edge[], ids: readonly string[]): Map<string, Set<string>> {
  const incoming = Map.groupBy(edges, ({ to }) => to);
  return new Map(ids.map((id) => {
    const before = new Set((incoming.get(id) ?? []).map(({ from }) => from));
    for (const each of before) for (const { from } of incoming.get(each) ?? []) before.add(from);
    return [id, before];
  }));
}
