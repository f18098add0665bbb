import type { Instance } from "./instance.ts";

/** A process that is answering `inFlight` requests. */
export interface Running {
  instance: Instance;
  inFlight: number;
  /** True once no further request goes to it. */
  retired: boolean;
}

/** One function, behind whichever process of it is the current one. */
export interface Worker {
  /**
   * The process for one request, started if there is none; give it back with `release`.
   *
   * @throws {StackFailure} when the function does not start.
   */
  acquire(): Promise<Running>;
  release(running: Running): void;
  /** Sends no further request to this process; it ends with its last one. */
  retire(running: Running): void;
  /** Starts the function anew. The process before it ends with its last request. */
  reload(): Promise<void>;
  /** Sends no request to it any more: its process ends with its last one. */
  stop(): Promise<void>;
}

export interface WorkerOptions {
  start: () => Promise<Instance>;
  /** Is told that a process ended without being asked to. */
  onCrash: () => void;
}

// A function that does not start is tried again, but a page that asks for it in a loop starts no process each time.
const retryAfterMs = 1000;

export function createWorker({ start, onCrash }: WorkerOptions): Worker {
  let current: Promise<Running> | undefined;
  let failedAt: number | undefined;

  function boot(): Promise<Running> {
    failedAt = undefined;
    const booting = start().then((instance): Running => {
      const running = { instance, inFlight: 0, retired: false };
      instance.exited.then(() => {
        if (!running.retired) onCrash();
        forget(booting);
      });
      return running;
    });
    booting.catch(() => {
      if (current === booting) failedAt = Date.now();
    });
    current = booting;
    return booting;
  }

  function forget(gone: Promise<Running>) {
    if (current === gone) current = undefined;
  }

  function retire(running: Running) {
    running.retired = true;
    if (running.inFlight === 0) void running.instance.kill();
  }

  return {
    async acquire() {
      if (failedAt !== undefined && Date.now() - failedAt >= retryAfterMs) current = undefined;
      for (;;) {
        const chosen = current ?? boot();
        const running = await chosen;
        if (!running.retired && !running.instance.ended) {
          running.inFlight += 1;
          return running;
        }
        forget(chosen);
      }
    },
    release(running) {
      running.inFlight -= 1;
      if (running.retired) retire(running);
    },
    retire,
    async reload() {
      const previous = current;
      const booting = boot();
      previous?.then(retire, () => {});
      await booting;
    },
    async stop() {
      await current?.then(retire, () => {});
    },
  };
}
