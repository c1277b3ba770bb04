import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { seededRandom } from "../../../core/test/support/seeded-random.ts";
import { limits } from "../../src/limits.ts";
import { type BlockWriter, LogSink, type WriteCallback } from "../../src/log/log-sink.ts";

const { logBlockBytes, logBufferBytes, logFlushMs, logGatherMs } = limits;

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate", "clearImmediate"] }));
afterEach(() => void vi.useRealTimers());

/** A disk whose writes end when the test ends them. */
class Disk implements BlockWriter {
  endsWithError = false;
  closed = false;
  readonly blocks: Buffer[] = [];
  #inFlight: { readonly block: Buffer; readonly done: WriteCallback } | undefined;
  readonly #stuck: boolean;

  constructor({ stuck = false } = {}) {
    this.#stuck = stuck;
  }

  /** What is on the disk. */
  get text(): string {
    return Buffer.concat(this.blocks).toString();
  }

  get writing(): boolean {
    return this.#inFlight !== undefined;
  }

  write(block: Buffer, done: WriteCallback): void {
    expect(this.#inFlight, "one write at a time").toBeUndefined();
    expect(block.length).toBeGreaterThan(0);
    this.#inFlight = { block, done };
    if (!this.#stuck) queueMicrotask(() => this.end());
  }

  /** Ends the write in flight, with all of its bytes or the first ones. */
  end(bytes = Number.POSITIVE_INFINITY): void {
    const { block, done } = this.#take();
    const written = Math.min(bytes, block.length);
    this.blocks.push(Buffer.from(block.subarray(0, written)));
    done(null, written);
  }

  fail(code = "ENOSPC"): void {
    this.#take().done(new Error(code), 0);
  }

  writeNow(block: Buffer): void {
    expect(this.#inFlight).toBeUndefined();
    this.blocks.push(Buffer.from(block));
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  #take() {
    const taken = this.#inFlight;
    if (taken === undefined) throw new Error("no write is in flight");
    this.#inFlight = undefined;
    return taken;
  }
}

function open(disk: Disk) {
  const counts = { dropped: 0, errors: [] as string[] };
  const others = new Set(process.listeners("exit"));
  const sink = new LogSink(disk, {
    onDrop: () => void counts.dropped++,
    onError: (error, closed) => void counts.errors.push(closed ? `${error.message}, closed` : error.message),
  });
  const [onExit] = process.listeners("exit").filter((listener) => !others.has(listener));
  if (onExit === undefined) throw new Error("the sink does not listen for the exit of the process");
  onTestFinished(() => void process.off("exit", onExit));
  return { sink, counts, onExit: onExit as () => void };
}

const passTurn = () => vi.advanceTimersByTimeAsync(0);
const passGathering = () => vi.advanceTimersByTimeAsync(logGatherMs);

test("the first lines after a pause are written at the end of the turn", async () => {
  const disk = new Disk();
  const { sink } = open(disk);
  sink.write("a\n");
  sink.write("b\n");
  expect(disk.blocks).toHaveLength(0);
  await passTurn();
  expect(disk.blocks.map(String)).toEqual(["a\nb\n"]);
  await vi.advanceTimersByTimeAsync(logGatherMs * 2);
  sink.write("c\n");
  await passTurn();
  expect(disk.text).toBe("a\nb\nc\n");
});

test("later lines are gathered, and each is written within the time bound", async () => {
  const disk = new Disk();
  const { sink } = open(disk);
  sink.write("first\n");
  await passTurn();
  const written: number[] = [];
  for (let ms = 0; ms < logGatherMs * 4; ms++) {
    sink.write(`${ms}\n`);
    await vi.advanceTimersByTimeAsync(1);
    const lines = disk.text.split("\n").length - 2;
    for (let line = written.length; line < lines; line++) written.push(ms + 1 - line);
  }
  expect(disk.blocks).toHaveLength(1 + 4);
  expect(Math.max(...written)).toBeLessThanOrEqual(logGatherMs);
});

test("nothing happens any more when nothing is written", async () => {
  const { sink } = open(new Disk());
  sink.write("a\n");
  await passTurn();
  await vi.advanceTimersByTimeAsync(logGatherMs * 2);
  expect(vi.getTimerCount()).toBe(0);
});

test("a block that is full is written at once, and none has more than its bound", async () => {
  const disk = new Disk();
  const { sink } = open(disk);
  const line = `${"x".repeat(999)}\n`;
  const count = 800;
  for (let n = 0; n < count; n++) sink.write(line);
  // No timer has run, and no turn of the event loop has ended.
  await Promise.resolve();
  expect(disk.blocks.length).toBeGreaterThan(0);
  await passTurn();
  await passGathering();
  expect(disk.text).toBe(line.repeat(count));
  expect(disk.blocks.map(({ length }) => length)).toEqual([262_000, 262_000, 262_000, 14_000]);
  expect(262_000 + line.length).toBeGreaterThan(logBlockBytes);
});

test("blocks that fill up within the time bound are written only when they are full", async () => {
  const disk = new Disk();
  const { sink } = open(disk);
  const line = `${"x".repeat(logBlockBytes / 4)}\n`;
  const count = 60;
  for (let n = 0; n < count; n++) {
    sink.write(line);
    await vi.advanceTimersByTimeAsync(logGatherMs * 0.3);
  }
  await passGathering();
  expect(disk.text === line.repeat(count)).toBe(true);
  const lines = disk.blocks.map(({ length }) => length / line.length);
  expect(new Set(lines.slice(2, -2))).toEqual(new Set([3]));
});

test("a line that is longer than a block is a block of its own", async () => {
  const disk = new Disk();
  const { sink } = open(disk);
  const long = `${"\u20ac".repeat(logBlockBytes)}\n`;
  for (const line of ["a\n", long, "b\n", long]) sink.write(line);
  await passTurn();
  await passGathering();
  expect(disk.text).toBe(`a\n${long}b\n${long}`);
});

test("lines keep their order and their bytes, whatever the disk does", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seededRandom(seed);
    const disk = new Disk({ stuck: true });
    const { sink, counts } = open(disk);
    const characters = ["x", "\u00e9", "\u20ac", "\u{1f600}"];
    let all = "";
    for (let step = 0; step < 400; step++) {
      const choice = random();
      if (choice < 0.5) {
        const size = Math.floor(random() ** 4 * (random() < 0.05 ? 300_000 : 60_000));
        const line = `${step} ${(characters[Math.floor(random() * 4)] as string).repeat(size)}\n`;
        all += line;
        sink.write(line);
      } else if (choice < 0.7) {
        await vi.advanceTimersByTimeAsync(Math.floor(random() * 80));
      } else if (disk.writing) {
        if (choice < 0.75) disk.fail();
        else disk.end(random() < 0.5 ? undefined : Math.floor(random() * 5_000));
      }
    }
    const closed = sink.close();
    for (let tries = 0; !disk.closed && tries < 10_000; tries++) {
      if (disk.writing) disk.end();
      else await passGathering();
      await Promise.resolve();
    }
    await closed;
    expect(counts.dropped).toBe(0);
    expect(disk.text === all, `seed ${seed}`).toBe(true);
  }
});

test("the memory for lines is used again", async () => {
  const disk = new Disk();
  const used = new Set<ArrayBufferLike>();
  const { write } = disk;
  disk.write = (block, done) => {
    used.add(block.buffer);
    write.call(disk, block, done);
  };
  const { sink } = open(disk);
  const line = `${"x".repeat(999)}\n`;
  for (let n = 0; n < 1_000; n++) {
    sink.write(line);
    if (n % 10 === 0) await passTurn();
  }
  await passGathering();
  expect(disk.text).toBe(line.repeat(1_000));
  expect(used.size).toBeLessThanOrEqual(2);
});

test("a stuck disk drops lines once the buffer is full, and every line is written or counted", async () => {
  const disk = new Disk({ stuck: true });
  const { sink, counts } = open(disk);
  const line = `${"x".repeat(9_999)}\n`;
  const count = 2_000;
  for (let n = 0; n < count; n++) {
    sink.write(line);
    if (n % 100 === 0) await passGathering();
  }
  expect(counts.dropped).toBe(count - Math.floor(logBufferBytes / line.length));
  while (disk.writing) disk.end();
  await passGathering();
  if (disk.writing) disk.end();
  expect(disk.text.length / line.length).toBe(count - counts.dropped);
  sink.write("again\n");
  await passGathering();
  disk.end();
  expect(disk.text.endsWith("again\n")).toBe(true);
});

test("few lines while the disk is stuck share one block", async () => {
  const disk = new Disk({ stuck: true });
  const { sink } = open(disk);
  for (let n = 0; n < 1_000; n++) {
    sink.write("x\n");
    await passGathering();
  }
  disk.end();
  await passGathering();
  disk.end();
  expect(disk.blocks.map(({ length }) => length)).toEqual([2, 1_998]);
});

test("a failed write is reported and tried again after the pause, without another line", async () => {
  const disk = new Disk({ stuck: true });
  const { sink, counts } = open(disk);
  sink.write("a\n");
  await passTurn();
  disk.fail();
  expect(disk.writing).toBe(false);
  await passGathering();
  disk.fail();
  await passGathering();
  disk.end(1);
  disk.end();
  expect(counts.errors).toEqual(["ENOSPC", "ENOSPC"]);
  expect(disk.text).toBe("a\n");
});

test("a stream that its reader has closed is reported once and gets nothing more", async () => {
  const disk = new Disk({ stuck: true });
  disk.endsWithError = true;
  const { sink, counts } = open(disk);
  sink.write("a\n");
  await passTurn();
  sink.write("b\n");
  disk.fail("EPIPE");
  sink.write("c\n");
  await vi.advanceTimersByTimeAsync(logGatherMs * 3);
  expect(disk.writing).toBe(false);
  expect(counts.errors).toEqual(["EPIPE, closed"]);
  await sink.close();
});

test("closing writes every line, and then closes the file", async () => {
  const disk = new Disk({ stuck: true });
  const { sink } = open(disk);
  sink.write("a\n");
  await passTurn();
  sink.write("b\n");
  const closed = sink.close();
  sink.write("after\n");
  disk.end(1);
  disk.end();
  expect(disk.closed).toBe(false);
  disk.end();
  await closed;
  expect(disk.text).toBe("a\nb\n");
  expect(disk.closed).toBe(true);
});

test("closing does not wait for a stuck disk for ever, and the file is closed once it is written", async () => {
  const disk = new Disk({ stuck: true });
  const { sink } = open(disk);
  sink.write("a\n");
  let isClosed = false;
  const closed = sink.close().then(() => {
    isClosed = true;
  });
  await vi.advanceTimersByTimeAsync(logFlushMs - 1);
  expect(isClosed).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  await closed;
  disk.fail();
  await passGathering();
  disk.end();
  await passTurn();
  expect(disk.text).toBe("a\n");
  expect(disk.closed).toBe(true);
});

test("the exit of the process writes the gathered lines, unless a write is in flight", async () => {
  for (const stuck of [false, true]) {
    const disk = new Disk({ stuck });
    const { sink, onExit } = open(disk);
    sink.write("a\n");
    await passTurn();
    sink.write("b\n");
    onExit();
    expect(disk.text).toBe(stuck ? "" : "a\nb\n");
  }
});

test("a closed sink does nothing at the exit of the process", async () => {
  const { sink, onExit } = open(new Disk());
  await sink.close();
  expect(process.listeners("exit")).not.toContain(onExit);
});
