import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import type { PolicyName, ProxyOptions } from "../../src/config/options.ts";
import type { SimulationReport, UpstreamReport } from "../../src/simulate/report/report.ts";
import { simulate } from "../../src/simulate/simulate.ts";
import type { Trace, UpstreamModel } from "../../src/simulate/trace/trace.ts";

const ids = [..."abcdefghij"];
const even: UpstreamModel = { latency: { p50: "15ms", p99: "80ms" }, concurrency: 4 };
const slow: UpstreamModel = { latency: { p50: "75ms", p99: "400ms" }, concurrency: 4 };

interface Figures {
  readonly p50: number;
  readonly p99: number;
  /** The most requests in flight at one upstream. */
  readonly most: number;
  /** The largest number of requests of an upstream to the smallest. */
  readonly spread: number;
  /** The share of the last upstream. */
  readonly last: number;
}

async function measure(policy: PolicyName, workers: number, rate: number, last: UpstreamModel): Promise<Figures> {
  const options: ProxyOptions = {
    balance: policy,
    upstreams: ids.map((id) => ({ id, url: `http://${id}.internal` })),
  };
  const upstreams = Object.fromEntries(ids.map((id) => [id, id === "j" ? last : even]));
  const trace: Trace = { requests: { rate, duration: "5s" }, upstreams };
  const [pool] = (await simulate(options, trace, { seed: 1, workers })).pools as [SimulationReport["pools"][number]];
  const requests = pool.upstreams.map((upstream) => upstream.requests);
  return {
    p50: pool.latency.p50 as number,
    p99: pool.latency.p99 as number,
    most: Math.max(...pool.upstreams.map(({ mostInFlight }) => mostInFlight)),
    spread: Math.max(...requests) / Math.min(...requests),
    last: (pool.upstreams.at(-1) as UpstreamReport).share,
  };
}

const policies = ["p2c", "least-requests", "peak-ewma", "round-robin", "random"] as const;
const counts = [1, 4, 16];

test("docs/balancing.md has the figures of several workers, and p2c stays even", async () => {
  const document = readFileSync(path.join(import.meta.dirname, "../../../../docs/balancing.md"), "utf8");
  const figures = new Map<string, Figures>();
  const rows: string[] = [];
  for (const policy of policies) {
    for (const workers of counts) {
      const alike = await measure(policy, workers, 1_500, even);
      const { p99, last } = await measure(policy, workers, 1_000, slow);
      figures.set(`${policy} ${workers}`, alike);
      const cells = [
        `\`${policy}\``,
        workers,
        `${alike.p50.toFixed(1)} ms`,
        `${alike.p99.toFixed(1)} ms`,
        alike.most,
        alike.spread.toFixed(2),
        `${(100 * last).toFixed(1)} %`,
        p99 < 1_000 ? `${p99.toFixed(0)} ms` : `${(p99 / 1_000).toFixed(1)} s`,
      ];
      rows.push(`| ${cells.join(" | ")} |`);
    }
  }
  const documented = document.split("\n").filter((line) => /^\| `[a-z0-9-]+` \| \d+ \| [\d.]+ ms/.test(line));
  expect(documented).toEqual(rows);
  for (const workers of counts) {
    const p2c = figures.get(`p2c ${workers}`) as Figures;
    const random = figures.get(`random ${workers}`) as Figures;
    expect(p2c.spread).toBeLessThan(1.15);
    expect(p2c.most).toBeLessThan(random.most);
    expect(p2c.p50).toBeLessThan(random.p50);
  }
});

test("one worker is the proxy as before, and the requests do not depend on the number of workers", async () => {
  const options: ProxyOptions = { upstreams: ["http://a.internal", "http://b.internal"] };
  const trace: Trace = {
    requests: { rate: 200, duration: "5s" },
    script: [{ at: "1s", upstream: "a.internal:80", weight: 3 }],
  };
  const reports = await Promise.all(
    [undefined, 1, 3].map((workers) => simulate(options, trace, workers === undefined ? {} : { workers })),
  );
  const [plain, one, three] = reports as [SimulationReport, SimulationReport, SimulationReport];
  expect(one).toEqual(plain);
  expect(three.requests).toBe(plain.requests);
  // Every worker applies a step of the script, which is listed once.
  const steps = three.events.filter(({ event }) => event === "script" || event === "weight");
  expect(steps.map(({ worker }) => worker)).toEqual([1, 2, 3]);
  expect(plain.events.filter((event) => "worker" in event)).toEqual([]);
});

test("a limit, a queue and the probes are those of each worker", async () => {
  const options: ProxyOptions = {
    queue: { max: 5, timeout: "1s" },
    healthCheck: { interval: "1s" },
    upstreams: [{ id: "a", url: "http://a.internal", maxInFlight: 2 }],
  };
  const trace: Trace = { requests: { rate: 2_000, duration: "3s" }, upstreams: { a: { latency: "100ms" } } };
  const [pool] = (await simulate(options, trace, { workers: 4 })).pools;
  expect(pool?.upstreams[0]?.mostInFlight).toBe(8);
  expect(pool?.queue.deepest).toBe(20);
  expect(pool?.upstreams[0]?.healthChanges).toBe(4);
});

test.each([0, 257, 1.5, Number.NaN])("rejects %s workers", async (workers) => {
  const trace: Trace = { requests: { rate: 1, duration: "1s" } };
  await expect(simulate({ upstreams: ["http://a.internal"] }, trace, { workers })).rejects.toThrow(
    "workers: expected a whole number from 1 to 256",
  );
});
