import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { hasProgram } from "../../core/test/support/server-programs.ts";
import { createAdmin, proxyTarget } from "../src/index.ts";
import { workerSnapshot } from "./support/group-target.ts";
import {
  discoverySnapshot,
  poolSnapshot,
  proxySnapshot,
  proxyWith,
  serve,
  upstreamSnapshot,
} from "./support/harness.ts";
import { routesOf } from "./support/routes-of.ts";

const page = readFileSync(new URL("../../../docs/observability.md", import.meta.url), "utf8");
const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const histogram = { bounds: [1], counts: [1], count: 1, sum: 0.5 };

/** At least one of each kind, so that every metric has a sample with its labels. */
const full = proxySnapshot({
  pools: [
    poolSnapshot({
      retries: { reset: 1 },
      discovery: discoverySnapshot({ lookups: { success: 1, failure: 1 } }),
      upstreams: [upstreamSnapshot({ maxInFlight: 1, outcomes: { success: 1 }, latency: histogram })],
    }),
  ],
  requests: [{ route: "/*", pool: "api", method: "GET", code: 200, count: 1 }],
  errors: [{ route: "/*", pool: "api", code: 502, error: "reset", source: "upstream", count: 1 }],
  grpcCalls: [{ route: "/*", pool: "api", status: "OK", count: 1 }],
  durations: [{ route: "/*", pool: "api", histogram }],
});

/** Every metric. */
async function scrape(): Promise<string> {
  const listener = () => ({
    connections: { open: 1, limit: 2, refused: 0, idleClosed: 0 },
    proxyHeaderFailures: 0,
    handshakeFailures: { plainHttp: 1, other: 1 },
    certificateExpiry: 1,
  });
  const target = { ...proxyTarget(proxyWith(() => full)), workers: async () => [workerSnapshot(1)] };
  const { send } = await serve(createAdmin(target, { listener }).handler);
  return (await send("GET", "/metrics")).text;
}

test("docs/observability.md lists every metric with its type and its labels, and no other", async () => {
  const text = await scrape();
  const exposed = [...text.matchAll(/^# TYPE (evenkeel_\w+) (\w+)$/gm)].map(([, name = "", type]) => {
    const sample = new RegExp(`^${name}(?:_count)?(?:\\{(.*)\\})? `, "m").exec(text);
    expect(sample, name).not.toBeNull();
    return [name, type, ...[...(sample?.[1] ?? "").matchAll(/(\w+)="/g)].map(([, label]) => label)].join(" ");
  });
  const rows = page.matchAll(/^\| `(evenkeel_\w+)` \| (\w+) \| (.*?)\|/gm);
  const listed = [...rows].map(([, name, type, labels = ""]) =>
    [name, type, ...(labels.match(/\w+/g) ?? [])].join(" "),
  );
  expect(exposed.length).toBeGreaterThan(15);
  expect(listed).toEqual(exposed);
});

test.skipIf(!hasProgram("promtool"))("promtool finds no fault in the metrics", async () => {
  const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input: await scrape() });
  expect({ status, stdout: String(stdout), stderr: String(stderr) }).toEqual({ status: 0, stdout: "", stderr: "" });
});

test("the README lists every resource with its methods, and no other", () => {
  const routes = routesOf().map(({ method, path }) => `${method} ${path}`);
  const listed = [...readme.matchAll(/^\| `([A-Z]+ \/\S*)` \|/gm)].map(([, request]) => request);
  expect(listed).toEqual(routes);
});

test("docs/admin-api.md names every call, every error code, and every field of the overview and its problems", () => {
  const page = readFileSync(new URL("../../../docs/admin-api.md", import.meta.url), "utf8");
  const document = JSON.parse(readFileSync(new URL("../openapi.json", import.meta.url), "utf8"));
  for (const { method, path } of routesOf()) {
    const call = `${method} ${path.replace(":pool", "POOL").replace(":upstream", "ID").replace(":file", "FILE")}`;
    expect([call, page.includes(`\`${call}`)]).toEqual([call, true]);
  }
  const { Overview, PoolOverview, UpstreamOverview, Problem, FailedRequest, UpstreamStatus } =
    document.components.schemas;
  const fields = [Overview, PoolOverview, UpstreamOverview, Problem, FailedRequest].flatMap(({ properties }) =>
    Object.keys(properties),
  );
  const codes = JSON.stringify(document.components.responses).match(/(?<=`)[a-z_]+(?=`)/g) ?? [];
  const words = [...fields, ...UpstreamStatus.enum, ...Problem.properties.status.enum, ...codes];
  expect(words.length).toBeGreaterThan(80);
  for (const word of words) expect([word, page.includes(`\`${word}\``)]).toEqual([word, true]);
});
