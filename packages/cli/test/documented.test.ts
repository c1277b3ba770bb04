import { readFileSync } from "node:fs";
import type { RequestEvent } from "evenkeel";
import { expect, test } from "vitest";
import { toJsonLine } from "../src/log/access-log-format.ts";

const page = readFileSync(new URL("../../../docs/observability.md", import.meta.url), "utf8");

/** An event with every field. */
const event: RequestEvent = {
  time: 0,
  requestId: "r1",
  client: "192.0.2.1",
  method: "GET",
  host: "example.com",
  url: "/",
  protocol: "HTTP/1.1",
  status: 502,
  grpcStatus: 14,
  bytesIn: 0,
  bytesOut: 0,
  durationMs: 1,
  route: "/*",
  pool: "api",
  upstream: "a",
  attempts: [
    { upstream: "a", error: "reset", cause: "c", connectMs: 1 },
    { upstream: "b", status: 503, grpcStatus: 14, headersMs: 1 },
  ],
  error: "reset",
  cause: "c",
  flags: ["retried"],
  traceId: "i",
  spanId: "s",
  traceparent: "t",
  userAgent: "u",
  referer: "r",
};

test("docs/observability.md lists every field of the access log and of its attempts, in order", () => {
  const [, section = ""] = page.split("\n## The access log\n");
  const [table = ""] = section.split(/\n##+ /);
  const rows = [...table.matchAll(/^\| (`[^|]+) \| (.*) \|$/gm)].map(([, names = "", meaning = ""]) => ({
    names: [...names.matchAll(/\w+/g)].map(([name]) => name as string),
    meaning,
  }));
  const line = JSON.parse(toJsonLine(event)) as Record<string, unknown> & { attempts: object[] };
  expect(rows.flatMap(({ names }) => names)).toEqual(Object.keys(line));
  const { meaning = "" } = rows.find(({ names }) => names.includes("attempts")) ?? {};
  const documented = [...meaning.matchAll(/`(\w+)`/g)].map(([, name]) => name);
  expect(documented.toSorted()).toEqual([...new Set(line.attempts.flatMap(Object.keys))].toSorted());
});
