import { isUtf8 } from "node:buffer";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** Why a file could not be read, in a sentence that names it. */
export class FileProblem extends Error {
  readonly kind: "missing" | "unreadable";

  constructor(kind: "missing" | "unreadable", message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

/** Reads a file of UTF-8 text that has at most so many bytes. Throws a `FileProblem`. */
export function readTextFile(path: string, maxBytes: number): string {
  const bytes = readFile(path, maxBytes);
  if (!isUtf8(bytes)) throw new FileProblem("unreadable", `${JSON.stringify(path)} is not text in UTF-8`);
  return bytes.toString("utf8");
}

/** Reads a file that has at most so many bytes. Throws a `FileProblem`. */
export function readFile(path: string, maxBytes: number): Buffer {
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    const stats = fstatSync(file);
    if (stats.isDirectory()) throw new FileProblem("unreadable", `${JSON.stringify(path)} is a directory, not a file`);
    const bytes = stats.size > maxBytes ? undefined : readUpTo(file, maxBytes);
    if (bytes === undefined) {
      throw new FileProblem("unreadable", `${JSON.stringify(path)} is larger than the limit of ${maxBytes} bytes`);
    }
    return bytes;
  } catch (error) {
    throw error instanceof FileProblem ? error : toFileProblem(path, error as NodeJS.ErrnoException);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Does not trust the size that the system tells: a pipe or a device has none. Undefined when there is more. */
function readUpTo(file: number, maxBytes: number): Buffer | undefined {
  const pieces: Buffer[] = [];
  let total = 0;
  while (total <= maxBytes) {
    const piece = Buffer.allocUnsafe(65_536);
    const length = readSync(file, piece);
    if (length === 0) return Buffer.concat(pieces, total);
    pieces.push(piece.subarray(0, length));
    total += length;
  }
  return undefined;
}

function toFileProblem(path: string, error: NodeJS.ErrnoException): FileProblem {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") {
    return new FileProblem("missing", `there is no file ${JSON.stringify(path)}`, error);
  }
  const reason =
    error.code === "EACCES" || error.code === "EPERM" ? "permission denied" : (error.code ?? error.message);
  return new FileProblem("unreadable", `cannot read ${JSON.stringify(path)}: ${reason}`, error);
}
