// Requests that wait while their pool changes under them: nobody waits for what cannot come, and nobody is forgotten.

import type { ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { fetchFrom, rawClient } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { refusingUrl } from "../support/refusing-port.ts";
import { onlyPool, startProxy } from "../support/start-proxy.ts";
import { startUpstream } from "../support/start-upstream.ts";
import { handshake, startEcho } from "../support/web-sockets.ts";

/** An upstream that answers when told. */
async function patient(name: string) {
  const held: ServerResponse[] = [];
  const upstream = await startUpstream(name, (_req, res) => void held.push(res));
  return { url: upstream.url, held, answerAll: () => held.splice(0).map((res) => res.end(name)) };
}

test("one upstream down and the other full is a reason to wait, not to fail", async () => {
  const full = await patient("full");
  const upstreams = [{ url: await refusingUrl() }, { url: full.url, maxInFlight: 1 }];
  const { url, proxy } = await startProxy({ upstreams, balance: "round-robin" });
  const answers = Array.from({ length: 4 }, () => fetchFrom(url));
  for (let served = 0; served < 4; served++) {
    await until(() => full.held.length === 1);
    full.answerAll();
  }
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(onlyPool(proxy).queue.depth).toBe(0);
});

test.each([
  ["disabled", (pool: ReturnType<typeof onlyPool>) => pool.setState("a", "disabled")],
  ["without weight", (pool: ReturnType<typeof onlyPool>) => pool.setWeight("a", 0)],
  ["gone", (pool: ReturnType<typeof onlyPool>) => pool.remove("a")],
])("who waits for an upstream that is %s now hears of it at once", async (_, change) => {
  const upstream = await patient("a");
  const { url, proxy } = await startProxy({ upstreams: [{ id: "a", url: upstream.url, maxInFlight: 1 }] });
  const pool = onlyPool(proxy);
  const first = fetchFrom(url);
  await until(() => upstream.held.length === 1);
  const second = fetchFrom(url);
  await until(() => pool.queue.depth === 1);
  change(pool);
  expect((await second).status).toBe(503);
  upstream.answerAll();
  expect((await first).status).toBe(200);
});

test("a reload that renames a pool loses nobody who waits in it", async () => {
  const upstream = await patient("a");
  const options = (name: string) => ({ pools: { [name]: { upstreams: [{ url: upstream.url, maxInFlight: 1 }] } } });
  const { url, proxy } = await startProxy(options("before"));
  const before = onlyPool(proxy);
  const answers = [fetchFrom(url), fetchFrom(url)];
  await until(() => upstream.held.length === 1 && before.queue.depth === 1);
  proxy.reload(options("after"));
  for (let served = 0; served < 2; served++) {
    await until(() => upstream.held.length === 1);
    upstream.answerAll();
  }
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200]);
});

test("a client certificate that cannot be used is 502 for a WebSocket, and the process lives", async () => {
  const upstream = await startEcho();
  const broken = { cert: "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----", key: "not a key" };
  const { port, finished } = await startProxy({ upstreams: [upstream.url.replace(/^\w+:/, "https:")], tls: broken });
  const client = await rawClient(port, handshake());
  await client.until(/502 Bad Gateway/);
  expect((await finished(1))[0]).toMatchObject({ status: 502, error: "tls_failed" });
});
