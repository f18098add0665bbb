/** A problem the person at the terminal can mend: shown as one message, without a stack. */
export class StackFailure extends Error {
  override name = "StackFailure";
}

/** What to show of an error: one message where somebody can act on it, the stack where only a developer can. */
export function explain(error: unknown): string {
  if (error instanceof StackFailure) return error.message;
  if (!(error instanceof Error)) return String(error);
  const { code, syscall, path } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT")
    return "The disk, or your quota on it, is full.\nMake room and start again; NECTAR_DATA=… names another data folder.";
  if (!syscall || !path) return error.stack ?? error.message;
  return `${error.message}.\nNectar needs to read and write there; NECTAR_DATA=… names another data folder.`;
}
