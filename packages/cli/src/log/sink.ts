import { once } from "node:events";
import { fstatSync } from "node:fs";
import type { Writable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { pino } from "pino";
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

/** Whether a path stands for a stream of the process, which is there once and for all. */
export function isStandardStream(path: string): path is "stdout" | "stderr" {
  return path === "stdout" || path === "stderr";
}

/** Opens "stdout", "stderr" or the path of a file. Rejects when a file cannot be opened for appending. */
export async function openSink(path: string, troubles: SinkTroubles): Promise<LogSink> {
  if (!isStandardStream(path)) return FileSink.open(path, troubles);
  const fd = path === "stdout" ? 1 : 2;
  // Node writes to a redirected file synchronously; the rest it leaves to the event loop, as it should be.
  if (isFile(fd)) return FileSink.open(fd, troubles);
  return new StreamSink(process[path], troubles);
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

  static async open(file: string | number, troubles: SinkTroubles): Promise<FileSink> {
    const destination = pino.destination({ dest: file, sync: false, append: true, maxLength: limits.logBufferBytes });
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

function isFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile();
  } catch {
    return false;
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
