import type { Dependency, DependencyName } from "./schemas.ts";

/** Why a check failed, in the words of the report. */
export class DependencyDown extends Error {
  override readonly name = "DependencyDown";
  readonly code: NonNullable<Dependency["code"]>;

  constructor(code: NonNullable<Dependency["code"]>, options?: ErrorOptions) {
    super(code, options);
    this.code = code;
  }
}

/** Resolves when the dependency answers as it should. The signal ends what is still under way. */
export type Check = (signal: AbortSignal) => Promise<void>;

export interface MonitoredDependency {
  name: DependencyName;
  /** Whether the backend is down without it. */
  required: boolean;
  /** Undefined where the backend is set up without this dependency. */
  check: Check | undefined;
}

export interface CheckOptions {
  /** Most milliseconds for each check. */
  budgetMs: number;
  clock: () => number;
  /** Is told what a failed check threw: the report keeps only its code. */
  onFailure: (name: DependencyName, error: unknown) => void;
}

/** Checks all dependencies at once, each within its budget. */
export function checkDependencies(
  dependencies: readonly MonitoredDependency[],
  options: CheckOptions,
): Promise<Dependency[]> {
  return Promise.all(dependencies.map((dependency) => checkDependency(dependency, options)));
}

async function checkDependency(
  { name, check }: MonitoredDependency,
  { budgetMs, clock, onFailure }: CheckOptions,
): Promise<Dependency> {
  if (!check) return { name, status: "absent", latency_ms: null };
  const started = clock();
  const latency = () => Math.max(0, Math.round(clock() - started));
  try {
    await within(budgetMs, check);
    return { name, status: "ok", latency_ms: latency() };
  } catch (error) {
    onFailure(name, error);
    const code = error instanceof DependencyDown ? error.code : "unreachable";
    return { name, status: "down", latency_ms: latency(), code };
  }
}

// A check may ignore its signal, so the race decides.
async function within(budgetMs: number, check: Check): Promise<void> {
  const controller = new AbortController();
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new DependencyDown("timeout"));
    controller.abort();
  }, budgetMs);
  try {
    await Promise.race([check(controller.signal), expired]);
  } finally {
    clearTimeout(timer);
  }
}
