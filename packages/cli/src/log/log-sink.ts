import { once } from "node:events";
import { closeSync, constants, fstatSync, openSync, type Stats, statSync } from "node:fs";
import type { Writable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { nameFileType } from "@evenkeel/config";
import { pino } from "pino";
import { Failure } from "../failure.ts";
import { limits } from "../limits.ts";

/** Failures of a log sink while it is in use. None of them affects requests. */
export interface SinkEvents {
  /** A line was dropped, because the buffer is full. */
  onDrop(): void;
  /** Writing failed. The next line is tried again, unless the reader has closed the stream. */
  onError(error: Error, closed: boolean): void;
}

/** A destination for log lines. Writing never blocks and never throws. The buffer is bounded. */
export interface LogSink {
  write(text: string): void;
  /** Resolves when all lines are written, or after a time limit. */
  close(): Promise<void>;
}

/** A standard stream, which is open from the start to the end of the process. */
export type StandardStream = "stdout" | "stderr";

/**
 * Opens a standard stream, or the path of a regular file. Rejects when the file cannot be opened for appending, and for every
 * other pipe or device: opening it could block, and so could each write.
 */
export async function openSink(path: string, events: SinkEvents): Promise<LogSink> {
  const stream = standardStreamAt(path);
  if (stream === undefined) return FileSink.open(openLogFile(path), events);
  const fd = stream === "stdout" ? 1 : 2;
  // Node's stream writes to a redirected file synchronously. The event loop handles the other kinds.
  if (statsOf(fd)?.isFile() === true) return FileSink.open(fd, events);
  return new StreamSink(process[stream], events);
}

/**
 * Returns the standard stream of "stdout" or "stderr", or of a path that leads to it, such as /dev/stdout or a link to it.
 * Returns undefined for a regular file, even if a stream is redirected to it: log rotation may replace the file.
 */
export function standardStreamAt(path: string): StandardStream | undefined {
  if (path === "stdout" || path === "/dev/stdout") return "stdout";
  if (path === "stderr" || path === "/dev/stderr") return "stderr";
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined || stats.isFile()) return undefined;
  const leadsTo = (fd: number) => isSameFile(stats, statsOf(fd));
  if (leadsTo(1)) return "stdout";
  return leadsTo(2) ? "stderr" : undefined;
}

/** Throws the error of `openSink` for an existing path that cannot be a log. Opens nothing. */
export function checkSink(path: string): void {
  if (standardStreamAt(path) !== undefined) return;
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats !== undefined && !stats.isFile()) throw notRegular(stats);
}

/** Opens a regular file for appending. Never blocks. Throws for anything but a regular file. */
function openLogFile(path: string): number {
  checkSink(path);
  // A FIFO without a reader blocks open, or with O_NONBLOCK fails with ENXIO. The flags do not exist on Windows.
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK = 0, O_NOCTTY = 0 } = constants;
  const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY, 0o666);
  // Another file may have replaced it between the two calls.
  const opened = fstatSync(fd);
  if (opened.isFile()) return fd;
  closeSync(fd);
  throw notRegular(opened);
}

function notRegular(stats: Stats): Failure {
  const instead = stats.isFIFO() ? 'set path = "stdout" and pipe the output of the command' : "name a regular file";
  return new Failure(`it is ${nameFileType(stats)}: ${instead}`);
}

/** A pipe, a terminal or a socket. The lines of one turn of the event loop are written at once. */
class StreamSink implements LogSink {
  readonly #stream: Writable;
  readonly #events: SinkEvents;
  #pending = "";
  #closed = false;

  constructor(stream: Writable, events: SinkEvents) {
    this.#stream = stream;
    this.#events = events;
    stream.on("error", this.#onError);
  }

  write(text: string): void {
    if (this.#closed) return;
    if (this.#stream.writableLength + this.#pending.length + text.length > limits.logBufferBytes) {
      return this.#events.onDrop();
    }
    if (this.#pending === "") setImmediate(() => this.#flush());
    this.#pending += text;
  }

  async close(): Promise<void> {
    this.#flush();
    const { promise, resolve } = deferred();
    if (this.#closed) resolve();
    else this.#stream.write("", () => resolve());
    await Promise.race([promise, wait(limits.logFlushMs, undefined, { ref: false })]);
    this.#closed = true;
  }

  #flush(): void {
    const text = this.#pending;
    this.#pending = "";
    if (text !== "" && !this.#closed) this.#stream.write(text);
  }

  /** The listener stays: a pending write may fail later. */
  readonly #onError = (error: Error): void => {
    if (this.#closed) return;
    this.#closed = true;
    this.#pending = "";
    this.#events.onError(error, true);
  };
}

type Destination = ReturnType<typeof pino.destination>;

/** A file, written by pino's destination. It keeps the order, and buffers lines while a write is pending. */
class FileSink implements LogSink {
  readonly #destination: Destination;

  static async open(fd: number, events: SinkEvents): Promise<FileSink> {
    const destination = pino.destination({ dest: fd, sync: false, append: true, maxLength: limits.logBufferBytes });
    try {
      await once(destination, "ready");
    } catch (error) {
      discardUnwritten(destination);
      throw error;
    }
    return new FileSink(destination, events);
  }

  private constructor(destination: Destination, events: SinkEvents) {
    this.#destination = destination;
    destination.on("drop", () => events.onDrop());
    destination.on("error", (error: Error) => events.onError(error, false));
  }

  write(text: string): void {
    this.#destination.write(text);
  }

  async close(): Promise<void> {
    const closed = once(this.#destination, "close").catch(() => {});
    this.#destination.end();
    await Promise.race([closed, wait(limits.logFlushMs, undefined, { ref: false })]);
    discardUnwritten(this.#destination);
  }
}

/** Prevents a last synchronous flush at the exit of the process, which could block it for ever. */
function discardUnwritten(destination: Destination): void {
  destination.flushSync = () => {};
}

/** Undefined for a descriptor that is closed. */
function statsOf(fd: number): Stats | undefined {
  try {
    return fstatSync(fd);
  } catch {
    return undefined;
  }
}

function isSameFile(a: Stats, b: Stats | undefined): boolean {
  return b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
