import { AppError } from "../_shared/errors.ts";
import type { Tenant } from "./documents.ts";
import { type Workflow, workflows, type WorkflowVersion, workflowVersions } from "./workflows.ts";

export const heads = (tenant: Tenant) => tenant.collection(workflows);
export const published = (tenant: Tenant) => tenant.collection(workflowVersions);

export async function requireWorkflow(tenant: Tenant, id: string): Promise<Workflow> {
  const found = await heads(tenant).findOne({ _id: id });
  if (!found) throw new AppError("workflow_not_found");
  return found;
}

export async function requireVersion(tenant: Tenant, id: string, number: number): Promise<WorkflowVersion> {
  const found = await published(tenant).findOne({ workflow_id: id, number });
  if (found) return found;
  await requireWorkflow(tenant, id);
  throw new AppError("version_not_found");
}
