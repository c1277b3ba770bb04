import { Console } from "node:console";
import { PassThrough } from "node:stream";
import { expect, onTestFinished, test, vi } from "vitest";
import { type LogEntry, type LoggerOption, toWriter } from "../../src/log/logger.ts";

const bug = new Error("my own bug");
const entry: LogEntry = { level: "warn", message: "api/a is unhealthy: status 503", fields: { pool: "api" } };
const failure: LogEntry = { level: "error", message: "onRequest failed: my own bug", fields: { err: bug, count: 1 } };
const detail: LogEntry = { level: "debug", message: "api/a has weight 0.5, was 1: announced", fields: {} };

/** A logger with these other members, and the calls of its methods. */
function recorder(others: object = {}) {
  const calls: unknown[][] = [];
  const method =
    (level: string) =>
    (...values: unknown[]) =>
      void calls.push([level, ...values]);
  const levels = { debug: method("debug"), info: method("info"), warn: method("warn"), error: method("error") };
  return { calls, logger: { ...levels, ...others } as LoggerOption };
}

test.each<[string, object]>([
  ["pino", { bindings: () => ({}) }],
  ["bunyan", { addStream() {}, fields: {} }],
])("a logger like %s gets the fields first", (_name, members) => {
  const { calls, logger } = recorder(members);
  const write = toWriter(logger);
  for (const each of [entry, failure, detail]) write(each);
  expect(calls).toEqual([
    ["warn", entry.fields, entry.message],
    ["error", failure.fields, failure.message],
    ["debug", detail.fields, detail.message],
  ]);
});

test("a logger like winston gets the message first, and an exception as text", () => {
  const { calls, logger } = recorder({ transports: [], log() {} });
  const write = toWriter(logger);
  write(entry);
  write(failure);
  expect(calls).toEqual([
    ["warn", entry.message, entry.fields],
    ["error", failure.message, { count: 1, error: "my own bug", stack: bug.stack }],
  ]);
});

test("the console prints the message, and the stack of an exception, but no details", () => {
  const stream = new PassThrough({ encoding: "utf8" });
  const write = toWriter(new Console(stream));
  for (const each of [entry, failure, detail]) write(each);
  const text: unknown = stream.read();
  expect(text).toMatch(/^api\/a is unhealthy: status 503\nonRequest failed: my own bug Error: my own bug\n {4}at /);
  expect(text).not.toContain("weight");
});

test("a message is one line, whatever an exception quotes", () => {
  const messages: string[] = [];
  const write = toWriter(({ message }) => void messages.push(message));
  write({ ...failure, message: "onRequest failed: no user a\r\n2026-01-01 all is well\u001b[31m\u2028\u0085b" });
  expect(messages).toEqual(["onRequest failed: no user a 2026-01-01 all is well [31m b"]);
});

test("methods are called on their logger, also if they are of a class, and `debug` may be missing", () => {
  class Mine {
    readonly lines: unknown[] = [];
    info(message: string): void {
      this.lines.push(message);
    }
    warn = this.info;
    error = this.info;
  }
  const mine = new Mine();
  const write = toWriter(mine);
  write(detail);
  write(entry);
  expect(mine.lines).toEqual([entry.message]);
});

test("a function gets whole entries", () => {
  const entries: LogEntry[] = [];
  toWriter((each) => void entries.push(each))(entry);
  expect(entries).toEqual([entry]);
});

test("a logger that throws or rejects is one process warning", async () => {
  const warnings = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  onTestFinished(() => warnings.mockRestore());
  const throws = (): never => {
    throw new Error("disk full");
  };
  const rejects = async () => Promise.reject(new Error("network down"));
  for (const method of [throws, rejects]) {
    const write = toWriter({ info: method, warn: method, error: method });
    for (let count = 0; count < 3; count++) write(entry);
  }
  await new Promise((resolve) => setImmediate(resolve));
  expect(warnings.mock.calls).toEqual([
    ["the logger failed: disk full", "EvenkeelWarning"],
    ["the logger failed: network down", "EvenkeelWarning"],
  ]);
});

test.each([null, 5, "pino", {}, { info() {}, warn() {} }])("%j is no logger", (value) => {
  expect(() => toWriter(value as LoggerOption)).toThrow(
    "logger: expected a logger with info, warn and error, or a function, found ",
  );
});
