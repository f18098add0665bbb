/** A problem the person at the terminal can mend: shown as one message, without a stack. */
export class StackFailure extends Error {
  override name = "StackFailure";
}
