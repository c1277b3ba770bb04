import { type BigIntStats, closeSync, constants, fstatSync, openSync, statSync } from "node:fs";
import { nameFileType } from "@evenkeel/config";
import { Failure } from "../failure.ts";
import { FileWriter } from "./file-writer.ts";
import { LogSink, type SinkEvents } from "./log-sink.ts";
import { StreamWriter } from "./stream-writer.ts";

/** A standard stream, which is open from the start to the end of the process. */
export type StandardStream = "stdout" | "stderr";

/** Behind other stats of a pipe, Node 20 loads modules by the paths of their links, and so other versions of them. */
const asBigInts = { bigint: true, throwIfNoEntry: false } as const;

/**
 * Opens a standard stream, or the path of a regular file. Throws when the file cannot be opened for appending, and for every
 * other pipe or device: opening it could block, and so could each write.
 */
export function openSink(path: string, events: SinkEvents): LogSink {
  const stream = standardStreamAt(path);
  if (stream === undefined) return new LogSink(new FileWriter(openLogFile(path)), events);
  const fd = stream === "stdout" ? 1 : 2;
  // Node's stream writes to a redirected file synchronously. The event loop handles the other kinds.
  if (statsOf(fd)?.isFile() === true) return new LogSink(new FileWriter(fd), events);
  return new LogSink(new StreamWriter(process[stream]), events);
}

/**
 * Returns the standard stream of "stdout" or "stderr", or of a path that leads to it, such as /dev/stdout or a link to it.
 * Returns undefined for a regular file, even if a stream is redirected to it: log rotation may replace the file.
 */
export function standardStreamAt(path: string): StandardStream | undefined {
  if (path === "stdout" || path === "/dev/stdout") return "stdout";
  if (path === "stderr" || path === "/dev/stderr") return "stderr";
  const stats = statSync(path, asBigInts);
  if (stats === undefined || stats.isFile()) return undefined;
  const leadsTo = (fd: number) => isSameFile(stats, statsOf(fd));
  if (leadsTo(1)) return "stdout";
  return leadsTo(2) ? "stderr" : undefined;
}

/** Throws the error of `openSink` for an existing path that cannot be a log. Opens nothing. */
export function checkSink(path: string): void {
  if (standardStreamAt(path) !== undefined) return;
  const stats = statSync(path, asBigInts);
  if (stats !== undefined && !stats.isFile()) throw notRegular(stats);
}

/** Opens a regular file for appending. Never blocks. Throws for anything but a regular file. */
function openLogFile(path: string): number {
  checkSink(path);
  // A FIFO without a reader blocks open, or with O_NONBLOCK fails with ENXIO. The flags do not exist on Windows.
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK = 0, O_NOCTTY = 0 } = constants;
  const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY, 0o666);
  // Another file may have replaced it between the two calls.
  const opened = fstatSync(fd, asBigInts);
  if (opened.isFile()) return fd;
  closeSync(fd);
  throw notRegular(opened);
}

function notRegular(stats: BigIntStats): Failure {
  const instead = stats.isFIFO() ? 'set path = "stdout" and pipe the output of the command' : "name a regular file";
  return new Failure(`it is ${nameFileType(stats)}: ${instead}`);
}

/** Undefined for a descriptor that is closed. */
function statsOf(fd: number): BigIntStats | undefined {
  try {
    return fstatSync(fd, asBigInts);
  } catch {
    return undefined;
  }
}

function isSameFile(a: BigIntStats, b: BigIntStats | undefined): boolean {
  return b !== undefined && a.dev === b.dev && a.ino === b.ino;
}
