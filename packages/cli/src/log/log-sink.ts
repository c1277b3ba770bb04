import { limits } from "../limits.ts";

/** What a log is written to. Has one write at a time. */
export interface BlockWriter {
  /** Whether nothing can be written after an error. */
  readonly endsWithError: boolean;
  /** Calls back once, after this call has returned, with the number of bytes written. */
  write(block: Buffer, done: WriteCallback): void;
  /** Writes without a callback, when the process exits. Never called while a write is in flight. May throw. */
  writeNow(block: Buffer): void;
  close(): Promise<void>;
}

export type WriteCallback = (error: Error | null | undefined, written: number) => void;

/** Failures of a log sink while it is in use. None of them affects requests. */
export interface SinkEvents {
  /** A line was dropped, because the buffer is full. */
  onDrop(): void;
  /** Writing failed. It is tried again, unless the reader has closed the stream. */
  onError(error: Error, closed: boolean): void;
}

/**
 * A destination for log lines. Writing never blocks and never throws. The buffer is bounded, and lines keep their order.
 *
 * Lines are gathered, since a system call on another thread for each line costs more than the line. The first line after a
 * pause is written at the end of the event loop's turn. Later ones are gathered for `limits.logGatherMs`, or until a block is
 * full. Lines that come while a write is in flight also wait for its end.
 */
export class LogSink {
  readonly #writer: BlockWriter;
  readonly #events: SinkEvents;
  /**
   * Blocks that are complete, none of them empty. The first one may be in flight. The others were full, so that all of them
   * have at most twice the memory that their bytes need.
   */
  readonly #queue: Buffer[] = [];
  /** The memory for the next lines. Lines between `#start` and `#end` are not in the queue yet. */
  #memory: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  /** Memory that was written completely, for the next lines. */
  #spare: Buffer | undefined;
  /** Bytes of all lines that are not written yet. */
  #waiting = 0;
  #writing = false;
  #gathering = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;
  /** Called when no line waits any more. */
  #onEmpty: (() => void) | undefined;

  constructor(writer: BlockWriter, events: SinkEvents) {
    this.#writer = writer;
    this.#events = events;
    process.on("exit", this.#onExit);
  }

  write(line: string): void {
    if (this.#closed) return;
    if (this.#waiting + line.length > limits.logBufferBytes) return this.#events.onDrop();
    this.#append(line);
    if (this.#gathering) return;
    this.#gathering = true;
    setImmediate(this.#onPause);
  }

  /** Resolves when all lines are written and the file is closed. After a time limit this goes on in the background. */
  async close(): Promise<void> {
    this.#closed = true;
    const { promise: late, timer } = startTimer(limits.logFlushMs);
    await Promise.race([this.#writeRest().then(() => this.#writer.close()), late]);
    clearTimeout(timer);
    process.off("exit", this.#onExit);
  }

  #append(line: string): void {
    // UTF-8 has at most three bytes for a UTF-16 unit. The exact number is needed only near the end of the memory.
    if (this.#end + line.length * 3 > this.#memory.length) {
      const bytes = Buffer.byteLength(line);
      if (this.#end + bytes > this.#memory.length) this.#renewMemory(bytes);
    }
    const bytes = this.#memory.write(line, this.#end);
    this.#end += bytes;
    this.#waiting += bytes;
  }

  /** The old memory belongs to the queue. */
  #renewMemory(bytes: number): void {
    this.#completeBlock();
    this.#memory = this.#takeMemory(Math.max(bytes, limits.logBlockBytes));
    this.#start = 0;
    this.#end = 0;
  }

  #takeMemory(bytes: number): Buffer {
    const spare = this.#spare;
    if (spare?.length !== bytes) return Buffer.allocUnsafeSlow(bytes);
    this.#spare = undefined;
    return spare;
  }

  /** Moves the gathered lines to the queue. */
  #completeBlock(): void {
    if (this.#start === this.#end) return;
    this.#queue.push(this.#memory.subarray(this.#start, this.#end));
    this.#start = this.#end;
    this.#writeNext();
    // The lines from here on may be gathered for the full time.
    this.#timer?.refresh();
  }

  #writeNext(): void {
    const [block] = this.#queue;
    if (block === undefined || this.#writing) return;
    this.#writing = true;
    this.#writer.write(block, this.#onWritten);
  }

  readonly #onWritten: WriteCallback = (error, written) => {
    this.#writing = false;
    if (error) return this.#onError(error);
    const [block] = this.#queue;
    if (block === undefined) return;
    this.#waiting -= written;
    if (written < block.length) this.#queue[0] = block.subarray(written);
    else this.#release(block);
    this.#writeNext();
    if (this.#waiting === 0) this.#onEmpty?.();
  };

  /** Removes the first block. Its memory is used again, unless other lines are in it: new memory costs page faults. */
  #release({ buffer }: Buffer): void {
    this.#queue.shift();
    if (buffer !== this.#memory.buffer && buffer !== this.#queue[0]?.buffer) this.#spare = Buffer.from(buffer);
  }

  /** The block stays in the queue, for another try after the pause. */
  #onError(error: Error): void {
    const { endsWithError } = this.#writer;
    if (endsWithError) this.#discard();
    this.#events.onError(error, endsWithError);
  }

  #discard(): void {
    this.#closed = true;
    this.#queue.length = 0;
    this.#start = this.#end;
    this.#waiting = 0;
    this.#onEmpty?.();
  }

  /** Runs at the end of the turn in which lines begin to come, and then after every pause, until no line waits. */
  readonly #onPause = (): void => {
    if (this.#waiting === 0) {
      this.#gathering = false;
      return;
    }
    this.#timer ??= setTimeout(this.#onPause, limits.logGatherMs).unref();
    this.#timer.refresh();
    if (this.#queue.length === 0) this.#completeBlock();
    else this.#writeNext();
  };

  #writeRest(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
      this.#completeBlock();
      if (this.#waiting === 0) resolve();
    });
  }

  /** A write in flight may be stuck, and lines written now would come before it: then the rest is lost. */
  readonly #onExit = (): void => {
    if (this.#writing) return;
    this.#writing = true;
    this.#completeBlock();
    try {
      for (const block of this.#queue) this.#writer.writeNow(block);
    } catch {
      // There is no later time to report it.
    }
  };
}

function startTimer(ms: number): { promise: Promise<void>; timer: NodeJS.Timeout | undefined } {
  let timer: NodeJS.Timeout | undefined;
  const promise = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  return { promise, timer };
}
