import dns from "node:dns";
import { expect, onTestFinished, test, vi } from "vitest";
import { systemLookup } from "../../src/dns/system-lookup.ts";
import { settle } from "../../src/runtime/virtual-clock.ts";

type Callback = (error: Error | null, addresses: readonly { address: string; family: number }[]) => void;

/** getaddrinfo, answered by the test. */
function lab() {
  const running: { name: string; answer: Callback }[] = [];
  const spy = vi.spyOn(dns, "lookup").mockImplementation(((name: string, _options: object, answer: Callback) => {
    running.push({ name, answer });
  }) as never);
  onTestFinished(() => spy.mockRestore());
  return { running, ask: (name: string, signal = new AbortController().signal) => systemLookup(name, signal) };
}

const found = (address: string) => [{ address, family: 4 }];

test("one lookup runs at a time, in order, and one without an answer holds only its own thread", async () => {
  const { running, ask } = lab();
  const answers = ["a", "b", "c"].map((name) => ask(name));
  expect(running.map(({ name }) => name)).toEqual(["a"]);
  running[0]?.answer(null, found("10.0.0.1"));
  expect(await answers[0]).toEqual(found("10.0.0.1"));
  expect(running.map(({ name }) => name)).toEqual(["a", "b"]);
  running[1]?.answer(Object.assign(new Error("no"), { code: "ENOTFOUND" }), []);
  await expect(answers[1]).rejects.toMatchObject({ code: "ENOTFOUND" });
  running[2]?.answer(null, []);
  expect(await answers[2]).toEqual([]);
});

test("an aborted lookup leaves the queue, and does not free the place of the one that runs", async () => {
  const { running, ask } = lab();
  const [first, second] = [new AbortController(), new AbortController()];
  const answers = [ask("a", first.signal), ask("b", second.signal), ask("c")];
  const ends = Promise.allSettled(answers);
  first.abort();
  second.abort();
  await settle();
  expect(running.map(({ name }) => name)).toEqual(["a"]);
  running[0]?.answer(null, found("10.0.0.1"));
  expect(running.map(({ name }) => name)).toEqual(["a", "c"]);
  running[1]?.answer(null, found("10.0.0.3"));
  expect((await ends).map(({ status }) => status)).toEqual(["rejected", "rejected", "fulfilled"]);
  await expect(ask("d", second.signal)).rejects.toMatchObject({ code: "ECANCELLED" });
});
