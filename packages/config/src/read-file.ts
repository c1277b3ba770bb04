import { isUtf8 } from "node:buffer";
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";

/**
 * Opening a FIFO without a writer, or some devices, would block the only thread. The flags do not exist on Windows.
 */
const readWithoutBlocking = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/** Why a file could not be read, in a sentence that names it. */
export class FileProblem extends Error {
  readonly kind: "missing" | "unreadable";

  constructor(kind: "missing" | "unreadable", message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

/** Reads a regular file of UTF-8 text, up to a limit. Never blocks on a FIFO or a device. Throws a `FileProblem`. */
export function readTextFile(path: string, maxBytes: number): string {
  const bytes = readFile(path, maxBytes);
  if (!isUtf8(bytes)) throw new FileProblem("unreadable", `${JSON.stringify(path)} is not text in UTF-8`);
  return bytes.toString("utf8");
}

/** Reads a regular file up to a limit. Never blocks on a FIFO or a device. Throws a `FileProblem`. */
export function readFile(path: string, maxBytes: number): Buffer {
  let file: number | undefined;
  try {
    file = openSync(path, readWithoutBlocking);
    // Of the open file, not of the path: the path may lead elsewhere by now.
    const stats = fstatSync(file);
    if (!stats.isFile())
      throw new FileProblem("unreadable", `${JSON.stringify(path)} is ${nameFileType(stats)}, not a file`);
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

/** What a path leads to when it is no regular file, with its article. */
export function nameFileType(stats: Stats): string {
  if (stats.isDirectory()) return "a directory";
  if (stats.isFIFO()) return "a pipe";
  return stats.isSocket() ? "a socket" : "a device";
}

/** Does not trust the size that the system reports: a file in /proc has none, and any file may grow. Undefined above the limit. */
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
  // Nothing can open a socket by its path.
  if (error.code === "ENXIO")
    return new FileProblem("unreadable", `${JSON.stringify(path)} is a socket, not a file`, error);
  const reason =
    error.code === "EACCES" || error.code === "EPERM" ? "permission denied" : (error.code ?? error.message);
  return new FileProblem("unreadable", `cannot read ${JSON.stringify(path)}: ${reason}`, error);
}
