import { watch } from "node:fs";

// Editors and git write a file in several steps, and several files at once.
const quietMs = 60;

const ofNoConsequence = /(^|\/)\.|~$|\.test\.[jt]sx?$|\.md$|^openapi\.json$/;

/**
 * Calls `onChange` with the folders directly below `directory` in which something changed. Tests, documents and hidden
 * files do not count.
 *
 * @returns a function that ends the watch.
 */
export function watchFolders(directory: string, onChange: (folders: Set<string>) => void): () => void {
  let changed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;

  const watcher = watch(directory, { recursive: true }, (_, file) => {
    const path = file?.replaceAll("\\", "/");
    const folder = path?.split("/")[0];
    if (!path || !folder || ofNoConsequence.test(path)) return;
    changed.add(folder);
    clearTimeout(timer);
    timer = setTimeout(() => {
      const folders = changed;
      changed = new Set();
      onChange(folders);
    }, quietMs);
  });
  // A folder that vanishes while it is read is no reason to end the stack.
  watcher.on("error", () => {});

  return () => {
    clearTimeout(timer);
    watcher.close();
  };
}
