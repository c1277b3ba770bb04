import { expect, onTestFinished, test, vi } from "vitest";
import { SafeEmitter } from "../../src/runtime/emitter.ts";

interface Events {
  tick: [count: number];
  other: [];
}

class Ticker extends SafeEmitter<Events> {
  tick(count: number): void {
    this.emit("tick", count);
  }

  get listened(): boolean {
    return this.hasListeners("tick");
  }
}

/** The kinds of warnings that the process is given from now on, instead of printing them. */
function warnings(): string[] {
  const kinds: string[] = [];
  const spy = vi.spyOn(process, "emitWarning").mockImplementation((_warning, kind) => void kinds.push(String(kind)));
  onTestFinished(() => spy.mockRestore());
  return kinds;
}

test("listeners are called in order, with the arguments", () => {
  const ticker = new Ticker();
  const seen: string[] = [];
  ticker.on("tick", (count) => seen.push(`first ${count}`)).on("tick", (count) => seen.push(`second ${count}`));
  ticker.tick(1);
  expect(seen).toEqual(["first 1", "second 1"]);
});

test("`once` is once, also when it throws, and `off` takes either back", () => {
  warnings();
  const ticker = new Ticker();
  const seen: number[] = [];
  const record = (count: number) => seen.push(count);
  ticker.once("tick", (count) => {
    seen.push(count);
    throw new Error("no");
  });
  ticker.tick(1);
  ticker.tick(2);
  expect(seen).toEqual([1]);
  ticker.once("tick", record).on("tick", record).off("tick", record).off("tick", record);
  ticker.tick(3);
  expect(seen).toEqual([1]);
  expect(ticker.listened).toBe(false);
});

test("a listener that throws breaks neither the others nor what emits, and is reported", () => {
  const seen = warnings();
  const ticker = new Ticker();
  let called = 0;
  ticker.on("tick", () => {
    throw new Error("oh");
  });
  ticker.on("tick", () => called++);
  expect(() => ticker.tick(1)).not.toThrow();
  expect(called).toBe(1);
  expect(seen).toEqual(["EvenkeelWarning"]);
});

test("listeners may come and go while they are called", () => {
  const ticker = new Ticker();
  const seen: string[] = [];
  const second = () => seen.push("second");
  ticker.on("tick", () => {
    seen.push("first");
    ticker.off("tick", second);
    ticker.on("tick", () => seen.push("late"));
  });
  ticker.on("tick", second);
  ticker.tick(1);
  expect(seen).toEqual(["first", "second"]);
});

test("many listeners are no leak", () => {
  const seen = warnings();
  const ticker = new Ticker();
  for (let count = 0; count < 100; count++) ticker.on("tick", () => {});
  expect(seen).toEqual([]);
});

test("an event called `error` needs no listener", () => {
  class Failing extends SafeEmitter<{ error: [Error] }> {
    fail(): void {
      this.emit("error", new Error("nobody listens"));
    }
  }
  expect(() => new Failing().fail()).not.toThrow();
});

test("a listener that rejects is reported, and no unhandled rejection", async () => {
  const seen = warnings();
  const ticker = new Ticker();
  const rejects: () => unknown = () => Promise.reject(new Error("oh"));
  ticker.on("tick", rejects);
  ticker.tick(1);
  await new Promise((resolve) => setImmediate(resolve));
  expect(seen).toEqual(["EvenkeelWarning"]);
});
