import { once } from "node:events";
import { closeSync, constants, fstatSync, openSync, type Stats, statSync } from "node:fs";
import type { Writable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { nameFileType } from "@evenkeel/config";
import { pino } from "pino";
import { Failure } from "../failure.ts";
import { limits } from "../limits.ts";

/** What can go wrong with a place for lines while it is in use. Serving goes on in every case. */
export interface SinkTroubles {
  /** A line was dropped, because too many wait already. */
  onDrop(): void;
  /** Writing failed; it is tried again with the next line, unless the reader is gone for good. */
  onError(error: Error, gone: boolean): void;
}

/** A place for lines. Writing never blocks and never throws; what waits is bounded. */
export interface LogSink {
  write(text: string): void;
  /** Resolves when everything is written, or when that takes too long. */
  close(): Promise<void>;
}

/** A stream of the process, which is open from its start to its end. */
export type StandardStream = "stdout" | "stderr";

/**
 * Opens a stream of the process, or the path of a regular file. Rejects when the file cannot be opened for appending, and
 * for every other pipe or device: opening it could block, and so could each write.
 */
export async function openSink(path: string, troubles: SinkTroubles): Promise<LogSink> {
  const stream = standardStreamAt(path);
  if (stream === undefined) return FileSink.open(openLogFile(path), troubles);
  const fd = stream === "stdout" ? 1 : 2;
  // Node writes to a redirected file synchronously; the rest it leaves to the event loop, as it should be.
  if (statsOf(fd)?.isFile() === true) return FileSink.open(fd, troubles);
  return new StreamSink(process[stream], troubles);
}

/**
 * The stream that "stdout" or "stderr" names, or that a path leads to, as /dev/stdout does and links to it do. A regular
 * file is none, also when a stream is redirected to it: log rotation may put another file in its place.
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

/** Throws what `openSink` rejects with for a path that is there and cannot be a log. Opens nothing. */
export function checkSink(path: string): void {
  if (standardStreamAt(path) !== undefined) return;
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats !== undefined && !stats.isFile()) throw notRegular(stats);
}

/** Opens a regular file for appending. Never blocks, and throws for anything else. */
function openLogFile(path: string): number {
  checkSink(path);
  // A FIFO without a reader blocks open, or with O_NONBLOCK fails with ENXIO. The flags do not exist on Windows.
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK = 0, O_NOCTTY = 0 } = constants;
  const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY, 0o666);
  // Another file may have taken its place between the two.
  const opened = fstatSync(fd);
  if (opened.isFile()) return fd;
  closeSync(fd);
  throw notRegular(opened);
}

function notRegular(stats: Stats): Failure {
  const instead = stats.isFIFO() ? 'say path = "stdout" and pipe the output of the command' : "name a regular file";
  return new Failure(`it is ${nameFileType(stats)}: ${instead}`);
}

/** A pipe, a terminal or a socket. Lines of one turn of the event loop go out in one write. */
class StreamSink implements LogSink {
  readonly #stream: Writable;
  readonly #troubles: SinkTroubles;
  #pending = "";
  #gone = false;

  constructor(stream: Writable, troubles: SinkTroubles) {
    this.#stream = stream;
    this.#troubles = troubles;
    stream.on("error", this.#onError);
  }

  write(text: string): void {
    if (this.#gone) return;
    if (this.#stream.writableLength + this.#pending.length + text.length > limits.logBufferBytes) {
      return this.#troubles.onDrop();
    }
    if (this.#pending === "") setImmediate(() => this.#flush());
    this.#pending += text;
  }

  async close(): Promise<void> {
    this.#flush();
    const { promise, resolve } = deferred();
    if (this.#gone) resolve();
    else this.#stream.write("", () => resolve());
    await Promise.race([promise, wait(limits.logFlushMs, undefined, { ref: false })]);
    this.#gone = true;
  }

  #flush(): void {
    const text = this.#pending;
    this.#pending = "";
    if (text !== "" && !this.#gone) this.#stream.write(text);
  }

  /** The listener stays: a write that is under way may fail as well. */
  readonly #onError = (error: Error): void => {
    if (this.#gone) return;
    this.#gone = true;
    this.#pending = "";
    this.#troubles.onError(error, true);
  };
}

type Destination = ReturnType<typeof pino.destination>;

/** A file, written by pino's destination, which keeps the order and gathers what comes while a write is under way. */
class FileSink implements LogSink {
  readonly #destination: Destination;

  static async open(fd: number, troubles: SinkTroubles): Promise<FileSink> {
    const destination = pino.destination({ dest: fd, sync: false, append: true, maxLength: limits.logBufferBytes });
    try {
      await once(destination, "ready");
    } catch (error) {
      forget(destination);
      throw error;
    }
    return new FileSink(destination, troubles);
  }

  private constructor(destination: Destination, troubles: SinkTroubles) {
    this.#destination = destination;
    destination.on("drop", () => troubles.onDrop());
    destination.on("error", (error: Error) => troubles.onError(error, false));
  }

  write(text: string): void {
    this.#destination.write(text);
  }

  async close(): Promise<void> {
    const closed = once(this.#destination, "close").catch(() => {});
    this.#destination.end();
    await Promise.race([closed, wait(limits.logFlushMs, undefined, { ref: false })]);
    forget(this.#destination);
  }
}

/** What could not be written by now would be tried again while the process exits, and could hold it up for ever. */
function forget(destination: Destination): void {
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
