import { expect, test } from "vitest";
import { describeFailures } from "../../src/overview/failure-report.ts";
import {
  formatAge,
  formatDate,
  formatMs,
  formatRate,
  formatRatio,
  formatTime,
  formatWeight,
} from "../../src/overview/format-values.ts";
import { describeStatus } from "../../src/overview/status-report.ts";
import { formatReason, type SortKey, sortKeys, toRows } from "../../src/overview/upstream-rows.ts";
import { failedRequest, noon, overviewOf, poolOf, troubled, upstreamOf } from "../support/overviews.ts";

test("status puts problems first, then pools, then upstreams with those in trouble first", () => {
  expect(`\n${describeStatus(troubled).join("\n")}\n`).toBe(`
evenkeel 1.2.3, up 3m, 12 of 10000 connections

2 problems
  critical  web/web-2 is unhealthy: connect_refused, for 12s
  warning   api/a is ejected: failure-ratio, for 5s, until 12:00:25Z

POOL  AVAILABLE  REQ/S  ERRORS     P50     P99  IN FLIGHT     QUEUE  RETRIES/S  POLICY
web   1 of 2        61     0 %  1.5 ms   10 ms          2  0 of 100        0.4  p2c
api   1 of 2         0       -       -       -          0  0 of 100          0  p2c
all                 65   1.2 %  3.1 ms  152 ms

UPSTREAM   STATUS     SINCE    REQ/S  ERRORS     P50    P99  IN FLIGHT    WEIGHT  TUNNELS  URL                    REASON
web/web-2  unhealthy  12s ago      0       -       -      -          0         1           http://10.0.0.1/web-2  connect_refused (connect ECONNREFUSED 127.0.0.1:3002)
api/a      ejected    5s ago       4    12 %  152 ms  2.5 s    0 of 10  0.5 of 1           http://10.0.0.1/a      failure-ratio, until 12:00:25Z
web/web-1  healthy    60m ago     61     0 %  1.2 ms  10 ms          2         3           http://10.0.0.1/web-1
api/b      healthy    60m ago      0       -       -      -          0         1        3  http://10.0.0.1/b
`);
});

test("a proxy without a problem is all healthy", () => {
  const lines = describeStatus(overviewOf([poolOf("app", [upstreamOf("a")])], { draining: true, connections: null }));
  expect(lines.slice(0, 3)).toEqual(["evenkeel 1.2.3, up 3m, draining", "", "all healthy"]);
  expect(lines.filter((line) => line.startsWith("all"))).toEqual(["all healthy"]);
});

test("each order sorts by its column, and keeps the order of the configuration otherwise", () => {
  const orders = Object.fromEntries(sortKeys.map((key) => [key, toRows(troubled, key).map(({ name }) => name)]));
  expect(orders).toEqual({
    status: ["web/web-2", "api/a", "web/web-1", "api/b"],
    rate: ["web/web-1", "api/a", "web/web-2", "api/b"],
    errors: ["api/a", "web/web-1", "web/web-2", "api/b"],
    p99: ["api/a", "web/web-1", "web/web-2", "api/b"],
    "in flight": ["web/web-1", "web/web-2", "api/a", "api/b"],
    name: ["api/a", "api/b", "web/web-1", "web/web-2"],
  } satisfies Record<SortKey, string[]>);
  expect(toRows(troubled, "name", "api").map(({ name }) => name)).toEqual(["api/a", "api/b"]);
});

test("a status of a newer proxy, and a problem of a healthy upstream, come after what is known to be worse", () => {
  const odd = upstreamOf("odd", { status: "haunted" as "healthy" });
  const problem = {
    severity: "warning",
    pool: "app",
    upstream: "b",
    status: "errors",
    since: null,
    until: null,
  } as const;
  const overview = overviewOf(
    [
      poolOf("app", [
        upstreamOf("a", { reason: "status 200" }),
        odd,
        upstreamOf("b", { reason: "status 200" }),
        upstreamOf("c", { status: "full" }),
      ]),
    ],
    { problems: [{ ...problem, text: "app/b fails 12 % of its requests" }] },
  );
  expect(toRows(overview).map((row) => `${row.name} ${row.trouble} ${formatReason(row)}`)).toEqual([
    "app/c impaired ",
    "app/odd impaired ",
    "app/b impaired fails 12 % of its requests",
    "app/a none ",
  ]);
});

test("failures have one line each, with the last attempts", () => {
  expect(describeFailures([])).toEqual(["no request has failed recently"]);
  const { error: _, cause: __, ...plain } = failedRequest;
  const early = { ...plain, requestId: "r-2", status: 500, attempts: [{ upstream: "a", status: 500 }], worker: 2 };
  expect(`\n${describeFailures([failedRequest, early]).join("\n")}\n`).toBe(`
TIME                  STATUS  ERROR   TOOK  ATTEMPTS                                    REQUEST                ID              CAUSE
2026-01-01T12:00:00Z  502     reset  12 ms  api: 1 more, b 503, c no response, b reset  GET shop.example/cart  r-1             read ECONNRESET
2026-01-01T12:00:00Z  500     -      12 ms  api: a 500                                  GET shop.example/cart  r-2 (worker 2)
`);
});

test("rates, ratios, durations and times are short", () => {
  expect([null, 0, 0.01, 0.06, 1, 1.25, 9.94, 9.96, 82.4, 9_999, 12_345].map(formatRate)).toEqual([
    "-",
    "0",
    "<0.1",
    "0.1",
    "1",
    "1.3",
    "9.9",
    "10",
    "82",
    "9999",
    "12.3k",
  ]);
  expect([null, 0, 0.0001, 0.0123, 0.0996, 0.5, 0.999, 1].map(formatRatio)).toEqual([
    "-",
    "0 %",
    "<0.1 %",
    "1.2 %",
    "10 %",
    "50 %",
    "99 %",
    "100 %",
  ]);
  expect([null, 0, 1.23, 9.96, 152.4, 999.6, 2_512].map(formatMs)).toEqual([
    "-",
    "0.0 ms",
    "1.2 ms",
    "10 ms",
    "152 ms",
    "1.0 s",
    "2.5 s",
  ]);
  expect([-5, 0, 119_999, 120_000, 7_200_000, 172_800_000].map(formatAge)).toEqual([
    "0s",
    "0s",
    "119s",
    "2m",
    "2h",
    "2d",
  ]);
  expect([formatTime(noon), formatDate(noon)]).toEqual(["12:00:00Z", "2026-01-01T12:00:00Z"]);
  expect(formatTime(Number.MAX_VALUE)).toBe("--------Z");
  expect([formatWeight(3, 3), formatWeight(3, 0.756), formatWeight(1, 0)]).toEqual(["3", "0.76 of 3", "0 of 1"]);
});
