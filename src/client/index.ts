export type { ActivityClient, ActivityEntry, ActivityListOptions } from "./activity.ts";
export type { Artifact, ArtifactLink, ArtifactsClient, UploadOptions } from "./artifacts.ts";
export type { AuditEntry, AuditLogOptions } from "./audit-log.ts";
export {
  createNectarClient,
  type NectarClient,
  type NectarClientOptions,
  type NectarClientSettings,
} from "./client.ts";
export type { ConstraintCode } from "./constraints.ts";
export {
  type ClientErrorCode,
  type FunctionError,
  type FunctionErrorCode,
  NectarAbortError,
  NectarError,
  NectarNetworkError,
} from "./errors.ts";
export type { CallFunction, FunctionPath, FunctionResult, FunctionsClient } from "./functions.ts";
export type {
  AuditVerification,
  CallOptions,
  ListOptions,
  OrganizationsClient,
} from "./organizations.ts";
export type { CommonErrorCode, Outcome } from "./outcome.ts";
export type {
  SchemaAnnotation,
  SchemaAnnotationInput,
  SchemaClient,
  SchemaSnapshot,
  SchemaSnapshotSummary,
  TablePlace,
} from "./schema.ts";
export { toNectarError } from "./to-nectar-error.ts";
export type {
  Result,
  Revision,
  Workflow,
  WorkflowDefinition,
  WorkflowDifference,
  WorkflowFile,
  WorkflowInput,
  WorkflowListOptions,
  WorkflowPatch,
  WorkflowPublication,
  WorkflowSummary,
  WorkflowsClient,
  WorkflowVersion,
  WorkflowVersionSummary,
} from "./workflows.ts";
