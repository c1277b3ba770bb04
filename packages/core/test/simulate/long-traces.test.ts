// A trace may list millions of requests. Its mistakes are reported without reading all of them.

import { expect, test } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import { OptionsError } from "../../src/config/issues.ts";
import { simulate } from "../../src/simulate/simulate.ts";
import type { Trace } from "../../src/simulate/trace/trace.ts";

const options = { upstreams: ["http://127.0.0.1:3001"] };

/** A list of requests that are created on access, with the number of accesses. */
function requestsOf(length: number, make: (index: number) => unknown) {
  const seen = new Set<number>();
  const requests = new Proxy([] as unknown[], {
    get(target, key, receiver) {
      if (key === "length") return length;
      const index = typeof key === "string" ? Number(key) : Number.NaN;
      if (!Number.isInteger(index)) return Reflect.get(target, key, receiver) as unknown;
      seen.add(index);
      return make(index);
    },
    has: (target, key) => (Number(key) < length ? true : Reflect.has(target, key)),
  });
  return { requests, seen };
}

async function mistakesOf(trace: object): Promise<string[]> {
  const error = await simulate(options, trace as Trace).catch((thrown: unknown) => thrown);
  if (!(error instanceof OptionsError)) throw new Error("expected an OptionsError");
  return error.message.split("\n");
}

test.each<[string, (index: number) => unknown, string[]]>([
  [
    "of the first request",
    (at) => (at === 0 ? { at, kye: "a" } : { at }),
    ['trace.requests[0].kye: unknown key, did you mean "key"?'],
  ],
  [
    "of a later request",
    (at) => (at === 2_345 ? { at: "soon" } : { at }),
    ['trace.requests[2345].at: expected a duration such as "250ms", "5s" or "2m", found "soon"'],
  ],
])("the mistake %s among a million requests is reported before the rest is read", async (_name, make, mistakes) => {
  const { requests, seen } = requestsOf(1_000_000, make);
  expect(await mistakesOf({ requests })).toEqual(mistakes);
  expect(seen.size).toBeLessThanOrEqual(3 * limits.requestsCheckedAtOnce);
});

test("a mistake elsewhere is reported before the requests are read", async () => {
  for (const trace of [{ scirpt: [] }, { upstreams: { b: {} } }, { script: [{ at: "1s", rate: 1 }] }]) {
    const { requests, seen } = requestsOf(1_000_000, (at) => ({ at }));
    expect(await mistakesOf({ ...trace, requests })).toHaveLength(1);
    expect(seen.size).toBeLessThanOrEqual(limits.requestsCheckedAtOnce);
  }
});

test("with mistakes in all requests, those of the first chunk are reported", async () => {
  const { requests } = requestsOf(1_000_000, () => ({ att: 1 }));
  const mistakes = await mistakesOf({ requests });
  expect(mistakes[0]).toMatch(/^trace\.requests\[0\]\.at: /);
  expect(mistakes).toHaveLength(2 * limits.requestsCheckedAtOnce);
});

test("too many requests are refused by their number", async () => {
  const { requests, seen } = requestsOf(limits.simulatedRequests + 1, (at) => ({ at }));
  expect(await mistakesOf({ requests })).toEqual([
    `trace.requests: at most ${limits.simulatedRequests} requests can be simulated, this trace has up to ${limits.simulatedRequests + 1}`,
  ]);
  expect(seen.size).toBe(0);
});

test("valid requests are read in any order", async () => {
  const length = 2 * limits.requestsCheckedAtOnce + 1;
  const requests = Array.from({ length }, (_, index) => ({ at: (index * 7) % length }));
  expect((await simulate(options, { requests })).requests).toBe(length);
});
