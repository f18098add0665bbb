import { type FSWatcher, readdirSync, statSync, watch } from "node:fs";
import path from "node:path";
import process from "node:process";

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

  const endWatch = watchTree(directory, (file) => {
    const path = file.replaceAll("\\", "/");
    const folder = path.split("/")[0];
    if (!folder || ofNoConsequence.test(path)) return;
    changed.add(folder);
    clearTimeout(timer);
    timer = setTimeout(() => {
      const folders = changed;
      changed = new Set();
      onChange(folders);
    }, quietMs);
  });

  return () => {
    clearTimeout(timer);
    endWatch();
  };
}

/** Tells the path, below `root`, of whatever changes there. */
function watchTree(root: string, onEvent: (file: string) => void): () => void {
  const watchers = new Map<string, FSWatcher>();

  // On Linux, Node's recursive watch loses a file once it has been replaced, as git and many editors save it. A watch on
  // its folder does not.
  const native = process.platform !== "linux";
  const take = (folder: string, name: string | null) => {
    if (name === null) return;
    const file = path.join(folder, name);
    onEvent(file);
    if (!native) rewatch(file);
  };

  function rewatch(folder: string): void {
    const before = [...watchers].filter(([each]) => each === folder || each.startsWith(folder + path.sep));
    addFolder(folder);
    for (const [each, watcher] of before) {
      watcher.close();
      if (watchers.get(each) === watcher) watchers.delete(each);
    }
  }

  function addFolder(folder: string): void {
    const place = path.join(root, folder);
    try {
      if (!statSync(place).isDirectory()) return;
      const watcher = watch(place, { recursive: native }, (_, name) => take(folder, name));
      // A folder that vanishes while it is read is no reason to end the stack.
      watcher.on("error", () => {});
      watchers.set(folder, watcher);
      if (native) return;
      for (const entry of readdirSync(place, { withFileTypes: true })) {
        if (entry.isDirectory()) addFolder(path.join(folder, entry.name));
      }
    } catch {} // gone again
  }
  addFolder("");

  return () => {
    for (const watcher of watchers.values()) watcher.close();
  };
}
