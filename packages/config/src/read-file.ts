/** Reads files within a size limit, without blocking on what is no regular file. */

import { isUtf8 } from "node:buffer";
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";
import { ConfigError } from "./errors/config-error.ts";
import { toConfigError } from "./errors/format-error.ts";
import { SourceText } from "./errors/source-text.ts";

/** The reason that a file could not be read, as a sentence that names the file. */
export class FileReadError extends Error {
  readonly kind: "missing" | "unreadable";

  constructor(kind: "missing" | "unreadable", message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

/** Opening a FIFO without a writer, or some devices, would block the only thread. Windows does not have these flags. */
const nonBlockingRead = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/**
 * Reads a configuration file of at most `maxBytes` of UTF-8. Throws a `ConfigError`. `shownKeys` are the keys whose values
 * an error may show.
 */
export function readConfigText(path: string, maxBytes: number, shownKeys?: ReadonlySet<string>): string {
  let bytes: Buffer;
  try {
    bytes = readFile(path, maxBytes);
  } catch (error) {
    if (!(error instanceof FileReadError)) throw error;
    throw new ConfigError(error.kind, path, error.message, { cause: error.cause });
  }
  if (!isUtf8(bytes)) throw notUtf8(path, bytes, shownKeys);
  return bytes.toString("utf8");
}

/** Reads a regular file of at most `maxBytes` of UTF-8. Never blocks on a FIFO or a device. Throws a `FileReadError`. */
export function readTextFile(path: string, maxBytes: number): string {
  const bytes = readFile(path, maxBytes);
  if (!isUtf8(bytes)) throw new FileReadError("unreadable", `${JSON.stringify(path)} is not text in UTF-8`);
  return bytes.toString("utf8");
}

/** Reads a regular file of at most `maxBytes`. Never blocks on a FIFO or a device. Throws a `FileReadError`. */
export function readFile(path: string, maxBytes: number): Buffer {
  let file: number | undefined;
  try {
    file = openSync(path, nonBlockingRead);
    // The open file, not the path: the path may lead to another file by now.
    // As BigInts: behind other stats of a pipe, Node 20 loads modules by the paths of their links, and so other versions of them.
    const stats = fstatSync(file, { bigint: true });
    if (!stats.isFile())
      throw new FileReadError("unreadable", `${JSON.stringify(path)} is ${nameFileType(stats)}, not a file`);
    const bytes = stats.size > maxBytes ? undefined : readUpTo(file, maxBytes);
    if (bytes === undefined) {
      throw new FileReadError("unreadable", `${JSON.stringify(path)} is larger than the limit of ${maxBytes} bytes`);
    }
    return bytes;
  } catch (error) {
    throw error instanceof FileReadError ? error : toFileReadError(path, error as NodeJS.ErrnoException);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Names the type of a file that is not a regular one, with its article. */
export function nameFileType(stats: Pick<Stats, "isDirectory" | "isFIFO" | "isSocket">): string {
  if (stats.isDirectory()) return "a directory";
  if (stats.isFIFO()) return "a pipe";
  return stats.isSocket() ? "a socket" : "a device";
}

/** Returns undefined above the limit. The size in `stat` cannot be trusted: it is 0 for files in /proc, and a file may grow. */
function readUpTo(file: number, maxBytes: number): Buffer | undefined {
  const chunks: Buffer[] = [];
  let total = 0;
  while (total <= maxBytes) {
    const chunk = Buffer.allocUnsafe(65_536);
    const length = readSync(file, chunk);
    if (length === 0) return Buffer.concat(chunks, total);
    chunks.push(chunk.subarray(0, length));
    total += length;
  }
  return undefined;
}

function toFileReadError(path: string, error: NodeJS.ErrnoException): FileReadError {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") {
    return new FileReadError("missing", `there is no file ${JSON.stringify(path)}`, error);
  }
  // Opening a socket by its path fails with this code.
  if (error.code === "ENXIO")
    return new FileReadError("unreadable", `${JSON.stringify(path)} is a socket, not a file`, error);
  const reason =
    error.code === "EACCES" || error.code === "EPERM" ? "permission denied" : (error.code ?? error.message);
  return new FileReadError("unreadable", `cannot read ${JSON.stringify(path)}: ${reason}`, error);
}

/** Points at the first character that is not UTF-8. */
function notUtf8(path: string, bytes: Buffer, shownKeys: ReadonlySet<string> | undefined): ConfigError {
  let start = 0;
  let end = bytes.indexOf("\n");
  while (end >= 0 && isUtf8(bytes.subarray(start, end))) {
    start = end + 1;
    end = bytes.indexOf("\n", start);
  }
  const line = bytes.subarray(start, end < 0 ? bytes.length : end).toString("utf8");
  const source = new SourceText(bytes.toString("utf8"), shownKeys);
  const offset = bytes.subarray(0, start).toString("utf8").length + line.indexOf("\ufffd");
  return toConfigError("syntax", path, source, [
    source.mistakeAt(offset, [], "not UTF-8: save the file as text in UTF-8"),
  ]);
}
