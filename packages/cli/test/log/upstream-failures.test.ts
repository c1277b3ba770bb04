import { createProxy, type ProxyOptions, type RequestEvent } from "evenkeel";
import { pino } from "pino";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { UpstreamFailures } from "../../src/log/upstream-failures.ts";
import { serve } from "../support/cli.ts";
import { anyPort, nowhere, poolOf } from "../support/configs.ts";
import { sendRequest, startUpstream } from "../support/http.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

/** Returns the warnings about requests with these attempts. */
function watch(options: ProxyOptions) {
  const proxy = createProxy(options);
  onTestFinished(() => proxy.close({ timeout: "0s" }));
  const warnings: string[] = [];
  const logger = pino(
    { level: "warn" },
    { write: (line) => void warnings.push((JSON.parse(line) as { msg: string }).msg) },
  );
  const failures = new UpstreamFailures(proxy, logger);
  const end = (...attempts: RequestEvent["attempts"]) => {
    const error = attempts.at(-1)?.error;
    const emitter = proxy as unknown as { emit(name: "request", event: RequestEvent): void };
    emitter.emit("request", { pool: "app", attempts, error } as RequestEvent);
  };
  return { failures, warnings, end };
}

const refused = { upstream: "a", error: "connect_refused" } as const;
const one = { pools: { app: { upstreams: [{ id: "a", url: nowhere }] } } };
const two = [
  { id: "a", url: nowhere },
  { id: "b", url: nowhere },
];

test("the first failure of the only upstream is reported at once, and later ones are counted", () => {
  const { warnings, end, failures } = watch(one);
  end(refused);
  expect(warnings).toEqual(["app/a failed a request: connect_refused; its pool has no health checks"]);
  for (let count = 0; count < 1_000; count++) end(refused);
  expect(warnings).toHaveLength(1);
  vi.advanceTimersByTime(10_000);
  expect(warnings[1]).toBe("app/a failed 1000 requests: connect_refused; its pool has no health checks");
  vi.advanceTimersByTime(60_000);
  expect(warnings).toHaveLength(2);
  end({ upstream: "a", error: "tls_failed", cause: "certificate has expired (CERT_HAS_EXPIRED)" });
  expect(warnings[2]).toBe(
    "app/a failed a request: tls_failed, certificate has expired (CERT_HAS_EXPIRED); its pool has no health checks",
  );
  end(refused);
  failures.close();
  expect(warnings).toHaveLength(4);
  end(refused);
  vi.advanceTimersByTime(60_000);
  expect(warnings).toHaveLength(4);
});

test.each<[string, ProxyOptions, number]>([
  ["of a pool with probes, which report a verdict", { pools: { app: { ...one.pools.app, healthCheck: {} } } }, 0],
  ["of several upstreams, which are ejected", { pools: { app: { upstreams: two } } }, 0],
  ["of several that nothing ejects", { pools: { app: { upstreams: two, outlierDetection: false } } }, 1],
])("failures %s", (_what, options, count) => {
  const { warnings, end } = watch(options);
  end(refused, { upstream: "b", status: 200 });
  end(refused, refused);
  expect(warnings).toHaveLength(count);
});

test("failures that a client or the proxy itself has caused are not reported, and neither is success", () => {
  const { warnings, end } = watch(one);
  for (const error of ["client_aborted", "no_file_descriptors", "total_timeout"] as const)
    end({ upstream: "a", error });
  end({ upstream: "a", status: 503 });
  end({ upstream: "a", status: 200 });
  expect(warnings).toEqual([]);
});

test("the command reports them on stderr", async () => {
  vi.useRealTimers();
  const { url, stderr } = await serve(anyPort + poolOf(nowhere));
  for (let count = 0; count < 3; count++) expect((await sendRequest(url)).status).toBe(502);
  expect(await stderr.record(({ level }) => level === "warn")).toMatchObject({
    pool: "app",
    upstream: "a",
    error: "connect_refused",
    msg: expect.stringMatching(/^app\/a failed a request: connect_refused/),
  });
  expect(stderr.records.filter(({ level }) => level === "warn")).toHaveLength(1);
});

test("the command reports nothing about a working upstream", async () => {
  vi.useRealTimers();
  const upstream = await startUpstream((_req, res) => res.end());
  const { url, kill, ended, stderr } = await serve(anyPort + poolOf(upstream.url));
  await sendRequest(url);
  kill("SIGTERM");
  await ended;
  expect(stderr.records.filter(({ level }) => level !== "info")).toEqual([]);
});
