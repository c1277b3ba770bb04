/** Which failures of requests are logged, and how often, on virtual time. */

import { expect, onTestFinished, test } from "vitest";
import type { ProxyOptions } from "../../src/config/options.ts";
import type { ErrorCode } from "../../src/errors.ts";
import type { AttemptRecord } from "../../src/events.ts";
import { createProxy } from "../../src/index.ts";
import { RequestFailures } from "../../src/log/request-failures.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const second = 1_000;
const day = 86_400 * second;
const url = "http://127.0.0.1:1";
const one = { pools: { app: { upstreams: [{ id: "a", url }] } } };
const two = [
  { id: "a", url },
  { id: "b", url },
];
const refused: AttemptRecord = { upstream: "a", error: "connect_refused" };

function lab(options: ProxyOptions = one) {
  const clock = new VirtualClock();
  const proxy = createProxy(options);
  onTestFinished(() => proxy.close({ timeout: "0s" }));
  const lines: string[] = [];
  const failures = new RequestFailures(clock, ({ level, message }) => void lines.push(`${level} ${message}`));
  const pool = proxy.pools.get("app");
  const end = (...attempts: AttemptRecord[]) => failures.onProblem({ pool, attempts, error: attempts.at(-1)?.error });
  const fail = (error: ErrorCode) => failures.onProblem({ pool, attempts: [], error });
  return { clock, lines, failures, end, fail };
}

test("the first failure of the only upstream is logged at once, later ones with their number at growing intervals", () => {
  const { clock, lines, failures, end } = lab();
  end(refused);
  expect(lines).toEqual(["warn app/a failed a request: connect_refused; its pool has no health checks"]);
  for (let count = 0; count < 1_000; count++) end(refused);
  expect(lines).toHaveLength(1);
  clock.advance(10 * second);
  expect(lines[1]).toBe("warn app/a failed 1000 requests: connect_refused; its pool has no health checks");
  clock.advance(600 * second);
  expect(lines).toHaveLength(2);
  end({ upstream: "a", error: "tls_failed", cause: "certificate has expired (CERT_HAS_EXPIRED)" });
  expect(lines[2]).toBe(
    "warn app/a failed a request: tls_failed, certificate has expired (CERT_HAS_EXPIRED); its pool has no health checks",
  );
  end(refused);
  failures.close();
  expect(lines).toHaveLength(4);
});

test.each([1, 11, 61])("a failure every %i s for a day is less than forty lines", (interval) => {
  const { clock, lines, end } = lab();
  for (let at = 0; at < day; at += interval * second) {
    end(refused);
    clock.advance(interval * second);
  }
  expect(lines.length).toBeGreaterThan(20);
  expect(lines.length).toBeLessThan(40);
  expect(lines.at(-1)).toMatch(/ failed \d+ requests: /);
});

test.each<[string, ProxyOptions, number]>([
  ["of a pool with probes, which report a verdict", { pools: { app: { ...one.pools.app, healthCheck: {} } } }, 0],
  ["of several upstreams, which are ejected", { pools: { app: { upstreams: two } } }, 0],
  ["of several that nothing ejects", { pools: { app: { upstreams: two, outlierDetection: false } } }, 1],
])("failures %s", (_what, options, count) => {
  const { lines, end } = lab(options);
  end(refused, { upstream: "b", status: 200 });
  end(refused, refused);
  expect(lines).toHaveLength(count);
});

test("failures that a client has caused are not logged, and neither is success", () => {
  const { lines, end } = lab();
  for (const error of ["client_aborted", "total_timeout"] as const) end({ upstream: "a", error });
  end({ upstream: "a", status: 503 });
  end({ upstream: "a", status: 200 });
  expect(lines).toEqual([]);
});

test("requests that the proxy's limits refuse are counted for each pool and reason", () => {
  const { clock, lines, fail } = lab();
  for (let count = 0; count < 4; count++) fail("queue_full");
  fail("none_available");
  clock.advance(10 * second);
  expect(lines).toEqual([
    "warn app: a request failed: queue_full",
    "warn app: a request failed: none_available",
    "warn app: 3 requests failed: queue_full",
  ]);
});

test("exceptions of the app are logged with the error, and counted by the place", () => {
  const { clock, lines, failures } = lab();
  const error = new Error("my own bug");
  const event = { where: "onRequest", requestId: "1", pool: "app", error } as const;
  for (let count = 0; count < 50; count++) failures.onException(event);
  failures.onException({ ...event, where: "policy" });
  clock.advance(10 * second);
  expect(lines).toEqual([
    "error onRequest failed: my own bug",
    "error policy failed: my own bug",
    "error onRequest failed 49 times: my own bug",
  ]);
});
