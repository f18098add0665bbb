export type { ActivityClient, ActivityEntry, ActivityListOptions } from "./activity.ts";
export { type ApiClient, type ApiClientOptions, createApiClient } from "./api.ts";
export type { Artifact, ArtifactLink, ArtifactsClient, UploadOptions } from "./artifacts.ts";
export type { AuditEntry, AuditLogOptions } from "./audit-log.ts";
export type { BillingClient, Selection, SoldPlan } from "./billing.ts";
export {
  createNectarClient,
  type NectarClient,
  type NectarClientOptions,
  type NectarClientSettings,
} from "./client.ts";
export type {
  Connection,
  ConnectionChanges,
  ConnectionInput,
  ConnectionsClient,
  ConnectionTestInput,
  ConnectionTestResult,
  IntrospectionResult,
} from "./connections.ts";
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
export type { ApiKey, KeyLimits, KeysClient, NewKey } from "./keys.ts";
export type { Limit, LimitsClient } from "./limits.ts";
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
export {
  createUsageReporter,
  type RefusedReport,
  type UsageReport,
  type UsageReporter,
  type UsageReporterOptions,
} from "./server.ts";
export { toNectarError } from "./to-nectar-error.ts";
export type { UsageBucket, UsageClient, UsageQuestion } from "./usage.ts";
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
