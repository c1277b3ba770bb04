import fs from "node:fs";
import { devNull } from "node:os";

/**
 * Whether the process has no file descriptor left. The system's resolver does not report that: it reports that the name does not
 * exist.
 */
export function isOutOfDescriptors(): boolean {
  try {
    fs.closeSync(fs.openSync(devNull, "r"));
    return false;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "EMFILE" || code === "ENFILE";
  }
}
