import { expect, test } from "vitest";
import { OptionsError } from "../../src/config/issues.ts";
import type { ProxyOptions } from "../../src/config/options.ts";
import { simulate } from "../../src/simulate/simulate.ts";
import type { Trace } from "../../src/simulate/trace/trace.ts";
import { upstreamsOf } from "../support/pools.ts";

const requests = { rate: 1, duration: "1s" };
const twoPools: ProxyOptions = {
  pools: { api: { upstreams: upstreamsOf({ a: 1, b: 1 }) }, web: { upstreams: upstreamsOf({ a: 1 }) } },
  routes: [{ pool: "api" }],
};

async function issuesOf(trace: unknown, options: ProxyOptions = twoPools): Promise<string[]> {
  const error = await simulate(options, trace as Trace).catch((thrown: unknown) => thrown);
  if (!(error instanceof OptionsError)) throw new Error("expected an OptionsError");
  return error.message.split("\n");
}

test.each<[string, unknown, string[]]>([
  ["no requests", {}, ["trace.requests: expected a rate and a duration, or an array of requests, found nothing"]],
  ["an unknown key", { requests, scirpt: [] }, ['trace.scirpt: unknown key, did you mean "script"?']],
  [
    "an unknown nested key",
    { requests: { ...requests, rte: 1 } },
    ['trace.requests.rte: unknown key, did you mean "rate"?'],
  ],
  [
    "an invalid time",
    { requests: [{ at: 0 }, { at: "soon" }] },
    ['trace.requests[1].at: expected a duration such as "250ms", "5s" or "2m", found "soon"'],
  ],
  [
    "an unknown upstream",
    { requests, upstreams: { "api/x": {} } },
    ['trace.upstreams["api/x"]: no pool has an upstream "api/x", did you mean "api/a"?'],
  ],
  [
    "an upstream of several pools",
    { requests, upstreams: { a: {} } },
    ['trace.upstreams.a: several pools have an upstream "a"; use one of api/a, web/a'],
  ],
  [
    "a latency with its bounds reversed",
    { requests, upstreams: { b: { latency: { from: "2s", to: "1s" } } } },
    ["trace.upstreams.b.latency: 2s is longer than 1s"],
  ],
  [
    "failures of more than 1",
    { requests, upstreams: { b: { failures: { reset: 0.6, "503": 0.6 } } } },
    ["trace.upstreams.b.failures: the shares add up to 1.2, which is more than 1"],
  ],
  [
    "an unknown kind of failure",
    { requests, upstreams: { b: { failures: { explode: 1 } } } },
    ['trace.upstreams.b.failures.explode: expected "refuse", "reset", "hang" or a status such as "503"'],
  ],
  [
    "a step without an upstream",
    { requests, script: [{ at: "1s", down: true }] },
    ["trace.script[0]: the key upstream is missing"],
  ],
  [
    "a step that does nothing",
    { requests, script: [{ at: "1s", upstream: "b" }] },
    ["trace.script[0]: this step changes nothing"],
  ],
  [
    "a rate for listed requests",
    { requests: [{ at: 0 }], script: [{ at: "1s", rate: 5 }] },
    ["trace.script[0].rate: listed requests have no rate"],
  ],
  [
    "an upstream that joins without a pool",
    { requests, script: [{ at: "1s", upstream: "c", join: { url: "http://c" } }] },
    ['trace.script[0].upstream: no pool has an upstream "c"; allowed here: api/a, api/b, web/a'],
  ],
  [
    "an upstream that joins with an invalid id",
    { requests, script: [{ at: "1s", upstream: "api/c d", join: { url: "http://c" } }] },
    ['trace.script[0].upstream: expected 1 to 128 letters, digits or any of . : _ - @ [ ], found "c d"'],
  ],
  [
    "too many requests",
    { requests: { rate: 1_000_000, duration: "24h" } },
    ["trace.requests: at most 10000000 requests can be simulated, this trace has up to 86400000000"],
  ],
])("a mistake in a trace is reported with its path: %s", async (_name, trace, issues) => {
  expect(await issuesOf(trace)).toEqual(issues);
});

test("all mistakes are reported at once", async () => {
  const script = [
    { at: "x", upstream: 1 },
    { at: "1s", weight: 999 },
  ];
  expect(await issuesOf({ requests: { rate: -1, duration: "1s" }, script })).toHaveLength(4);
});

test("mistakes in the options are reported too", async () => {
  expect(await issuesOf({ requests }, { upstreams: [], balance: "chance" } as unknown as ProxyOptions)).toHaveLength(1);
});

test("an upstream that joins later may have a model", async () => {
  const trace: Trace = {
    requests: { rate: 100, duration: "10s" },
    upstreams: { "api/c": { latency: "1s" } },
    script: [{ at: "2s", upstream: "api/c", join: { url: "http://c.internal", weight: 8 } }],
  };
  const [api] = (await simulate(twoPools, trace)).pools;
  expect(api?.upstreams.find(({ id }) => id === "c")).toMatchObject({ weight: 8, latency: { p50: 1_000 } });
});
