import { z } from "zod";
import { defineCollection, stored } from "./definition.ts";
import type { Documents, Tenant } from "./documents.ts";

/** One document per organization and kind of work that must not happen twice at once. */
export const guards = defineCollection({
  name: "guards",
  version: 1,
  schema: stored.extend({ passed: z.number().int().min(0) }),
  indexes: [{ name: "guard", key: { organization_id: 1, _id: 1 } }],
});

/**
 * Runs `work` in a transaction beside which no other of its kind commits in this organization: of two at once, one starts
 * again and sees what the other left. What it counts is therefore exact: the way to keep a limit.
 */
export async function exclusively<T>(
  documents: Documents,
  organizationId: string,
  kind: "artifacts" | "workflows",
  work: (tenant: Tenant) => Promise<T>,
): Promise<T> {
  const guardOf = (tenant: Tenant) => ({ _id: `${tenant.organizationId}:${kind}` });
  const pass = () =>
    documents.transaction(organizationId, async (tenant) => {
      const passed = await tenant.collection(guards).change(guardOf(tenant), { increment: { passed: 1 } });
      return passed ? { result: await work(tenant) } : undefined;
    });
  const done = await pass();
  if (done) return done.result;
  // The first time: transactions do not make the document they would wait for.
  await documents.run(
    organizationId,
    (tenant) => tenant.collection(guards).insertMany([{ ...guardOf(tenant), passed: 0 }]),
  );
  const second = await pass();
  if (!second) throw new Error(`The guard of ${kind} is gone.`);
  return second.result;
}
