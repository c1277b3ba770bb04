import { EventEmitter } from "node:events";
import http, { type IncomingMessage } from "node:http";
import { createProxy } from "evenkeel";
import { expect, onTestFinished, test } from "vitest";
import { createAdmin } from "../src/index.ts";
import { limits } from "../src/limits.ts";
import { proxySnapshot, proxyWith, serve, serveAdmin } from "./support/harness.ts";

const upstreams = ["a", "b"].map((id) => ({ id, url: `http://127.0.0.1:1/${id}` }));

interface ReceivedEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A client that reads the event stream of the admin API at a port. */
async function read(port: number, headers: http.OutgoingHttpHeaders = {}) {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    http.get({ port, path: "/api/events", agent: false, headers }, resolve).on("error", reject);
  });
  onTestFinished(() => void response.destroy());
  let text = "";
  let wake = () => {};
  let over = false;
  response.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    wake();
  });
  response.on("error", () => {});
  response.on("close", () => {
    over = true;
    wake();
  });
  const until = async (isEnough: () => boolean) => {
    while (!isEnough()) await new Promise<void>((resolve) => (wake = resolve));
  };
  const received = () => [...text.matchAll(/^event: (.*)\ndata: (.*)\n\n/gm)].map(parseEvent);
  return {
    response,
    text: () => text,
    received: async (count: number) => {
      await until(() => received().length >= count);
      return received();
    },
    contains: (part: string) => until(() => text.includes(part)),
    end: () => until(() => over),
  };
}

function parseEvent([, event = "", data = ""]: RegExpMatchArray): ReceivedEvent {
  return { event, data: JSON.parse(data) as ReceivedEvent["data"] };
}

test("every change of the pools is sent, with the time and as it was emitted", async () => {
  const { proxy, port } = await serveAdmin({ upstreams });
  const reader = await read(port);
  expect(reader.response.headers).toMatchObject({
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
  });
  await reader.contains("retry: ");
  const pool = proxy.pools.get("default");
  const a = pool?.get("a");
  if (pool === undefined || a === undefined) throw new Error("a pool with an upstream");
  const before = Date.now();
  pool.setWeight("a", 3);
  pool.setState("b", "draining");
  pool.setHealth(a, "unhealthy", "status 503");
  pool.setState("b", "active");
  pool.setHealth(a, "healthy", "status 200");
  for (let count = 0; count < 5; count++) pool.begin(a).settle("reset");
  pool.add({ id: "c", url: "http://127.0.0.1:1/c" });
  proxy.reload({ upstreams, outlierDetection: false });
  expect(() => proxy.reload({ upstreams: ["ftp://x"] })).toThrow();
  const received = await reader.received(12);
  expect(received.map(({ event }) => event).join(" ")).toBe(
    "weight state health state health eject member member member readmit reload reload",
  );
  expect(received[0]?.data).toMatchObject({ pool: "default", upstream: "a", from: 1, to: 3, reason: "operator" });
  expect(received[5]?.data).toMatchObject({ upstream: "a", reason: "consecutive-failures", forMs: expect.any(Number) });
  for (const { data } of received) expect(data["time"]).toBeGreaterThanOrEqual(before);
  expect(received[11]?.data).toMatchObject({ ok: false, error: { code: "invalid_options" } });
});

test("closing the admin API removes its listeners", async () => {
  const proxy = createProxy({ upstreams });
  onTestFinished(() => proxy.close({ timeout: "0s" }));
  const listening = new Set<string>();
  const on = proxy.on.bind(proxy);
  const off = proxy.off.bind(proxy);
  proxy.on = (name, listener) => {
    listening.add(name);
    return on(name, listener);
  };
  proxy.off = (name, listener) => {
    listening.delete(name);
    return off(name, listener);
  };
  const admin = createAdmin(proxy);
  expect(listening.size).toBeGreaterThan(5);
  admin.close();
  expect(listening.size).toBe(0);
});

test("a new reader gets the last events first, and one that reconnects those that it has missed", async () => {
  const { proxy, admin, port } = await serveAdmin({ upstreams });
  onTestFinished(() => admin.close());
  const pool = proxy.pools.get("default");
  for (let weight = 2; weight < 2 + limits.eventBacklog + 5; weight++) pool?.setWeight("a", weight);
  const first = await read(port);
  const weights = (await first.received(limits.eventBacklog)).map(({ data }) => data["to"]);
  expect(weights).toEqual(Array.from({ length: limits.eventBacklog }, (_, index) => 7 + index));
  const ids = [...first.text().matchAll(/^id: (.*)$/gm)].map(([, id = ""]) => id);
  expect(new Set(ids).size).toBe(limits.eventBacklog);

  const missed = await read(port, { "last-event-id": ids.at(-3) ?? "" });
  expect((await missed.received(2)).map(({ data }) => data["to"])).toEqual(weights.slice(-2));
  const none = await read(port, { "last-event-id": ids.at(-1) ?? "" });
  const unknown = ["", "x-1", `${ids[0]}0`, "999999999999999999999999", `${ids[0]?.split("-")[0]}--1`];
  const strangers = await Promise.all(unknown.map((id) => read(port, { "last-event-id": id })));
  pool?.setWeight("a", 99);
  for (const stranger of strangers) expect(await stranger.received(51)).toHaveLength(limits.eventBacklog + 1);
  expect((await none.received(1)).map(({ data }) => data["to"])).toEqual([99]);
});

test("the good first verdicts of many upstreams do not displace what has happened to one", async () => {
  const events = new EventEmitter();
  const proxy = Object.assign(proxyWith(proxySnapshot), { on: events.on.bind(events), off: events.off.bind(events) });
  const admin = createAdmin(proxy);
  onTestFinished(() => admin.close());
  const { port } = await serve(admin.handler);
  const verdict = (upstream: string, from: string, to: string) =>
    events.emit("health", { pool: "api", upstream, from, to });
  verdict("a", "healthy", "unhealthy");
  for (let index = 0; index < 2 * limits.eventBacklog; index++) verdict(`b${index}`, "unknown", "healthy");
  const reader = await read(port);
  const kept = await reader.received(limits.eventBacklog);
  expect(kept.map(({ data }) => data["upstream"])).toEqual([
    "a",
    ...Array.from({ length: limits.eventBacklog - 1 }, (_, index) => `b${limits.eventBacklog + 1 + index}`),
  ]);
});

test("closing the admin API ends the streams and accepts no new ones", async () => {
  const { admin, port, send } = await serveAdmin({ upstreams });
  const reader = await read(port);
  await reader.contains("retry: ");
  admin.close();
  await reader.end();
  expect((await send("GET", "/api/events")).status).toBe(503);
});

test("the number of clients is limited", async () => {
  const { port, send } = await serveAdmin({ upstreams });
  const readers = await Promise.all(Array.from({ length: limits.eventReaders }, () => read(port)));
  const refused = await send("GET", "/api/events");
  expect([refused.status, refused.json().error.code, refused.headers["retry-after"]]).toEqual([
    503,
    "too_many_readers",
    "5",
  ]);
  readers[0]?.response.destroy();
  await expect.poll(async () => (await read(port)).response.statusCode).toBe(200);
});

test("a client that does not read is disconnected, and the others are not", async () => {
  const { proxy, port } = await serveAdmin({ upstreams });
  const reader = await read(port);
  const lazy = await read(port);
  lazy.response.pause();
  const pool = proxy.pools.get("default");
  const gone = new Promise((resolve) => lazy.response.on("close", resolve));
  let over = false;
  void gone.then(() => {
    over = true;
  });
  const padding = "x".repeat(60_000);
  for (let round = 0; !over && round < 2_000; round++) {
    pool?.setHealth(pool.upstreams[0] as never, round % 2 === 0 ? "unhealthy" : "healthy", padding);
    await new Promise(setImmediate);
    if (round === 1_000) lazy.response.resume();
  }
  await gone;
  const before = (await reader.received(1)).length;
  pool?.setWeight("a", 7);
  expect((await reader.received(before + 1)).length).toBeGreaterThan(before);
});

test("the stream needs the token, and HEAD has no body", async () => {
  const { send, port } = await serveAdmin({ upstreams }, { token: "open-sesame" });
  expect((await send("GET", "/api/events")).status).toBe(401);
  const authorization = "Bearer open-sesame";
  expect((await read(port, { authorization })).response.statusCode).toBe(200);
  const head = await send("HEAD", "/api/events", { headers: { authorization } });
  expect([head.status, head.headers["content-type"], head.text]).toEqual([200, "text/event-stream; charset=utf-8", ""]);
});
