import { expect, test } from "vitest";
import { tickerOf } from "../../src/runtime/ticker.ts";
import { WaitingExchanges } from "../../src/transport/waiting-exchanges.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

function lab(timeoutMs: number) {
  const clock = new VirtualClock();
  const log: string[] = [];
  const exchange = (name: string) => ({
    name,
    fail: ({ code, sent, reused }: { code: string; sent: boolean; reused: boolean }) =>
      void log.push(`${name} ${code} ${sent} ${reused} at ${clock.now()}`),
  });
  type Named = ReturnType<typeof exchange>;
  const waiting: WaitingExchanges<Named> = new WaitingExchanges<Named>(clock, tickerOf(clock), timeoutMs, (late) =>
    waiting.refuse(late, "queue_timeout"),
  );
  return { clock, log, waiting, exchange };
}

test("exchanges wait in order, and may leave during an iteration", () => {
  const { waiting, exchange } = lab(1_000);
  const [a, b, c] = [exchange("a"), exchange("b"), exchange("c")];
  for (const each of [a, b, c]) waiting.enter(each);
  const served: string[] = [];
  for (const each of waiting) {
    served.push(each.name);
    waiting.leave(each);
    if (each === a) waiting.leave(b);
  }
  expect([served, waiting.size]).toEqual([["a", "c"], 0]);
});

test("one that has waited too long is refused with nothing sent, and those that have left are not", () => {
  const { clock, log, waiting, exchange } = lab(1_000);
  const [a, b] = [exchange("a"), exchange("b")];
  waiting.enter(a);
  waiting.enter(b);
  waiting.leave(b);
  waiting.leave(b);
  clock.advance(990);
  expect(log).toEqual([]);
  clock.advance(50);
  expect(log).toEqual([expect.stringMatching(/^a queue_timeout false false at 10[0-4]\d$/)]);
  clock.advance(10_000);
  expect([log.length, waiting.size, clock.pending]).toEqual([1, 0, 0]);
});
