/** The admin API with real requests: clients see the effect of its changes, and its metrics count their requests. */

import { once } from "node:events";
import { createProxy } from "evenkeel";
import { expect, onTestFinished, test } from "vitest";
import { createAdmin } from "../src/index.ts";
import { parseExposition, sampleValue } from "./support/exposition.ts";
import { type SendRequest, serve } from "./support/harness.ts";

const noBody = { headers: { "content-type": "application/json" } };

async function serveAll() {
  const held: (() => void)[] = [];
  const upstreams = await Promise.all(
    ["a", "b"].map(async (id) => {
      const { port, server } = await serve((req, res) => {
        if (req.url === "/hold") held.push(() => res.end(id));
        else res.end(id);
      });
      return { id, server, url: `http://127.0.0.1:${port}`, weight: id === "a" ? 3 : 1 };
    }),
  );
  const members = upstreams.map(({ id, url, weight }) => ({ id, url, weight }));
  const proxy = createProxy({ balance: "round-robin", upstreams: members });
  onTestFinished(() => proxy.close({ timeout: "0s" }));
  const front = await serve(proxy.handler);
  const admin = await serve(createAdmin(proxy).handler);
  return { held, upstreams, front: front.send, admin: admin.send };
}

async function shares(send: SendRequest, requests: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let sent = 0; sent < requests; sent++) {
    const { text } = await send("GET", "/");
    counts[text] = (counts[text] ?? 0) + 1;
  }
  return counts;
}

test("a weight that the API sets shifts the traffic at once, and the metrics agree", async () => {
  const { front, admin } = await serveAll();
  expect(await shares(front, 80)).toEqual({ a: 60, b: 20 });
  expect((await admin("PATCH", "/api/pools/default/upstreams/a", { body: { weight: 1 } })).status).toBe(200);
  expect(await shares(front, 80)).toEqual({ a: 40, b: 40 });
  await admin("PATCH", "/api/pools/default/upstreams/a", { body: { state: "disabled" } });
  expect(await shares(front, 10)).toEqual({ b: 10 });

  const families = parseExposition((await admin("GET", "/metrics")).text);
  const attempts = (upstream: string) =>
    sampleValue(families, "evenkeel_upstream_requests_total", { pool: "default", upstream, outcome: "success" });
  expect([attempts("a"), attempts("b")]).toEqual([100, 70]);
  const a = { pool: "default", upstream: "a" };
  expect(sampleValue(families, "evenkeel_upstream_weight", { ...a, kind: "configured" })).toBe(1);
  expect(sampleValue(families, "evenkeel_upstream_available", a)).toBe(0);
});

test("a removed upstream finishes its requests in flight", async () => {
  const { front, admin, held, upstreams } = await serveAll();
  const arrived = Promise.race(upstreams.map(({ id, server }) => once(server, "request").then(() => id)));
  const response = front("GET", "/hold");
  const id = await arrived;
  const families = parseExposition((await admin("GET", "/metrics")).text);
  expect(sampleValue(families, "evenkeel_requests_in_flight", { pool: "default" })).toBe(1);
  expect(sampleValue(families, "evenkeel_upstream_in_flight", { pool: "default", upstream: id })).toBe(1);

  const removed = await admin("DELETE", `/api/pools/default/upstreams/${id}`, noBody);
  expect([removed.status, removed.json().inFlight]).toEqual([202, 1]);
  expect(await shares(front, 4)).toEqual({ [id === "a" ? "b" : "a"]: 4 });
  for (const release of held) release();
  expect([(await response).status, (await response).text]).toEqual([200, id]);
});
