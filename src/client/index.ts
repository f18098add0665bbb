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
export { toNectarError } from "./to-nectar-error.ts";
