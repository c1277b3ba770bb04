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

/** Collects the types of process warnings from now on and keeps them from being printed. */
function warnings(): string[] {
  const kinds: string[] = [];
  const spy = vi.spyOn(process, "emitWarning").mockImplementation((_warning, kind) => void kinds.push(String(kind)));
  onTestFinished(() => spy.mockRestore());
  return kinds;
}

test("emit calls listeners in order, with the arguments", () => {
  const ticker = new Ticker();
  const seen: string[] = [];
  ticker.on("tick", (count) => seen.push(`first ${count}`)).on("tick", (count) => seen.push(`second ${count}`));
  ticker.tick(1);
  expect(seen).toEqual(["first 1", "second 1"]);
});

test("a `once` listener runs once, also when it throws, and `off` removes both kinds", () => {
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

test("a listener that throws causes a warning, emit does not throw, and the other listeners run", () => {
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

test("listeners can be added and removed during emit", () => {
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

test("many listeners cause no leak warning", () => {
  const seen = warnings();
  const ticker = new Ticker();
  for (let count = 0; count < 100; count++) ticker.on("tick", () => {});
  expect(seen).toEqual([]);
});

test("an `error` event without a listener does not throw", () => {
  class Failing extends SafeEmitter<{ error: [Error] }> {
    fail(): void {
      this.emit("error", new Error("no listener"));
    }
  }
  expect(() => new Failing().fail()).not.toThrow();
});

test("a listener that rejects causes a warning and no unhandled rejection", async () => {
  const seen = warnings();
  const ticker = new Ticker();
  const rejects: () => unknown = () => Promise.reject(new Error("oh"));
  ticker.on("tick", rejects);
  ticker.tick(1);
  await new Promise((resolve) => setImmediate(resolve));
  expect(seen).toEqual(["EvenkeelWarning"]);
});
