import { expect, onTestFinished, test } from "vitest";
import { LineRelay } from "../../src/log/line-relay.ts";
import { BackOff } from "../../src/workers/back-off.ts";
import { Heartbeat } from "../../src/workers/heartbeat.ts";
import { parseWorkerMessage } from "../../src/workers/worker-messages.ts";
import { WorkerProcess } from "../../src/workers/worker-process.ts";

test("a worker is replaced at once, and one whose replacements end soon with a growing delay", () => {
  const backOff = new BackOff();
  expect([50, 50, 50, 50].map((lived) => backOff.next(lived))).toEqual([0, 200, 400, 800]);
  expect(Array.from({ length: 10 }, () => backOff.next(0)).at(-1)).toBe(30_000);
  expect(backOff.next(10_000)).toBe(0);
  expect(backOff.next(9_999)).toBe(200);
});

test("a worker that the system cannot start has not ended", async () => {
  const { execPath } = process;
  onTestFinished(() => {
    process.execPath = execPath;
  });
  process.execPath = "/nonexistent/node";
  const options = { entry: "", number: 2, id: "2", output: { stdout() {}, stderr() {} }, onMessage() {}, onEnded() {} };
  const worker = new WorkerProcess(options);
  await worker.ended;
  expect(worker.pid).toBeUndefined();
  expect(worker.describeEnd()).toBe("worker 2 cannot be started: spawn /nonexistent/node ENOENT");
});

test("a worker stalls when replies are missing, unless this process was late itself", () => {
  const heartbeat = new Heartbeat(3);
  expect(heartbeat.beat(false)).toBe("ping");
  expect([true, true, true, true].map((late) => heartbeat.beat(late))).toEqual(["wait", "wait", "wait", "wait"]);
  expect([heartbeat.beat(false), heartbeat.beat(false)]).toEqual(["wait", "wait"]);
  heartbeat.replied();
  expect(heartbeat.beat(false)).toBe("ping");
  expect([false, false, false].map((late) => heartbeat.beat(late))).toEqual(["wait", "wait", "stalled"]);
});

test("lines are passed on whole, however their bytes arrive", () => {
  const written: string[] = [];
  const relay = new LineRelay((lines) => void written.push(lines));
  const bytes = Buffer.from("größe\nzwei\ndrei");
  for (const byte of bytes.subarray(0, 9)) relay.push(Buffer.of(byte));
  relay.push(bytes.subarray(9));
  expect(written).toEqual(["größe\n", "zwei\n"]);
  relay.end();
  expect(written.at(-1)).toBe("drei\n");
  relay.end();
  expect(written).toHaveLength(3);
});

test("a line without an end is passed on in parts, before it fills the memory", () => {
  let longest = 0;
  const relay = new LineRelay((lines) => {
    longest = Math.max(longest, lines.length);
  });
  for (let n = 0; n < 1_000; n++) relay.push(Buffer.alloc(10_000, "x"));
  expect(longest).toBeGreaterThan(1_000_000);
  expect(longest).toBeLessThan(1_100_000);
});

test("messages of another shape are ignored", () => {
  const held = { connections: 1, requests: 0, tunnels: 0 };
  expect(parseWorkerMessage({ type: "pong", n: 1, held })).toEqual({ type: "pong", n: 1, held });
  for (const message of [
    null,
    "pong",
    { type: "toString" },
    { type: "later" },
    { type: "pong", n: 1 },
    { type: "pong", n: 1, held: { ...held, requests: -1 } },
    { type: "accepted", id: "1", connections: 1 },
    { type: "report", n: 1, report: { snapshot: {}, status: {}, process: {} } },
    { type: "event", name: "request", event: {} },
  ]) {
    expect(parseWorkerMessage(message)).toBeUndefined();
  }
});
