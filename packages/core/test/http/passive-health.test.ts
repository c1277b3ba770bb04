// Passive health over real sockets, alone and beside active checks.

import type { IncomingMessage, ServerResponse } from "node:http";
import { expect, test } from "vitest";
import type { PoolOptions } from "../../src/config/options.ts";
import { fetchFrom, rawClient } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { nextEvent, onlyPool, startProxy } from "../support/start-proxy.ts";
import { startUpstream } from "../support/start-upstream.ts";
import { handshake } from "../support/web-sockets.ts";

const refusing = (text: string) => (_req: IncomingMessage, res: ServerResponse) => void res.writeHead(503).end(text);

/** Two upstreams by turns. */
async function twoUpstreams(settings: Omit<PoolOptions, "upstreams">) {
  const [bad, good] = [await startUpstream("bad"), await startUpstream("good")];
  const upstreams = Object.entries({ bad, good }).map(([id, { url }]) => ({ id, url }));
  const { url, port, proxy } = await startProxy({ balance: "round-robin", ...settings, upstreams });
  const ask = async () => (await fetchFrom(url)).text;
  return {
    bad,
    good,
    port,
    proxy,
    ask,
    askOften: async (times: number) => {
      const texts: string[] = [];
      for (let count = 0; count < times; count++) texts.push(await ask());
      return texts.join(" ");
    },
    badNow: () => {
      const upstream = onlyPool(proxy).snapshot().upstreams[0];
      if (upstream === undefined) throw new Error("two upstreams");
      return upstream;
    },
  };
}

test("an upstream that answers 503 gets as many requests as its limit, and then the other has them all", async () => {
  const { bad, askOften, badNow } = await twoUpstreams({ outlierDetection: { consecutiveFailures: 3 } });
  bad.answer = refusing("bad");
  expect(await askOften(9)).toBe("bad good bad good bad good good good good");
  expect(badNow()).toMatchObject({ available: false, health: "unknown", ejections: { "consecutive-failures": 1 } });
});

test("one that refuses connections is out after as many, and no client has noticed", async () => {
  const { bad, askOften, badNow } = await twoUpstreams({ outlierDetection: { consecutiveFailures: 3 } });
  await bad.kill();
  expect(await askOften(9)).toBe(Array.from({ length: 9 }, () => "good").join(" "));
  expect(badNow()).toMatchObject({ ejectedUntil: expect.any(Number), outcomes: { connect_refused: 3 } });
});

test("a trial that fails is the way out for longer, one that goes well the way back, and there is one at a time", async () => {
  const { bad, proxy, ask, askOften, badNow } = await twoUpstreams({
    outlierDetection: { consecutiveFailures: 3, baseEjectionTime: "50ms" },
  });
  bad.answer = refusing("bad");
  const first = nextEvent(proxy, "eject");
  await askOften(5);
  expect((await first).forMs).toBeLessThanOrEqual(55);

  await until(() => badNow().onTrial);
  const second = nextEvent(proxy, "eject");
  expect(await askOften(3)).toMatch(/bad/);
  expect(await second).toMatchObject({ upstream: "bad", reason: "trial-failed" });
  expect((await second).forMs).toBeGreaterThanOrEqual(100);

  await until(() => badNow().onTrial);
  let finish = () => {};
  bad.answer = (_req, res) => {
    finish = () => void res.end("well");
  };
  const asked = bad.received.length;
  const trials = [ask(), ask()];
  await until(() => bad.received.length > asked);
  expect(await askOften(4)).toBe("good good good good");
  expect(bad.received).toHaveLength(asked + 1);
  const back = nextEvent(proxy, "readmit");
  bad.answer = (_req, res) => void res.end("well");
  finish();
  expect(await back).toMatchObject({ upstream: "bad", reason: "trial" });
  expect((await Promise.all(trials)).sort()).toEqual(["good", "well"]);
  expect((await askOften(4)).split(" ").sort()).toEqual(["good", "good", "well", "well"]);
});

test("a failing request makes the next probe come at once, and one that goes well brings the upstream back", async () => {
  const { bad, proxy, askOften, badNow } = await twoUpstreams({
    outlierDetection: { consecutiveFailures: 3, baseEjectionTime: "1h", maxEjectionTime: "1h" },
    healthCheck: { interval: "1h", fastInterval: "100ms", unhealthyThreshold: 1_000 },
  });
  await until(() => badNow().health === "healthy");
  expect(badNow().probes).toEqual({ success: 1, failure: 0 });
  await bad.kill();
  await askOften(6);
  expect(badNow()).toMatchObject({ ejectedUntil: expect.any(Number), health: "healthy", available: false });
  await until(() => badNow().probes.failure > 0);
  const back = nextEvent(proxy, "readmit");
  await bad.revive();
  expect(await back).toMatchObject({ upstream: "bad", reason: "probe" });
  expect((await askOften(4)).split(" ").sort()).toEqual(["bad", "bad", "good", "good"]);
});

test("a probe that goes well is no answer to failing statuses", async () => {
  const { bad, askOften, badNow } = await twoUpstreams({
    outlierDetection: { consecutiveFailures: 3 },
    healthCheck: { path: "/healthz", interval: "100ms" },
  });
  bad.answer = (req, res) => (req.url === "/healthz" ? void res.end("ok") : refusing("bad")(req, res));
  await until(() => badNow().health === "healthy");
  await askOften(6);
  const { success } = badNow().probes;
  await until(() => badNow().probes.success > success + 2);
  expect(badNow()).toMatchObject({ ejectedUntil: expect.any(Number), health: "healthy", available: false });
});

test("either verdict is enough to keep an upstream out, and neither touches the other", async () => {
  const { bad, askOften, badNow } = await twoUpstreams({
    outlierDetection: { consecutiveFailures: 3 },
    healthCheck: { path: "/healthz", interval: "100ms", fastInterval: "100ms" },
  });
  bad.answer = (req, res) => (req.url === "/healthz" ? refusing("bad")(req, res) : void res.end("well"));
  await until(() => badNow().health === "unhealthy");
  expect(badNow()).toMatchObject({ ejectedUntil: null, available: false });
  expect(await askOften(3)).toBe("good good good");
  bad.answer = (_req, res) => void res.end("well");
  await until(() => badNow().health === "healthy");
  expect((await askOften(2)).split(" ").sort()).toEqual(["good", "well"]);
});

test("a WebSocket handshake that is refused with a failing status counts like any other answer", async () => {
  const { bad, port, badNow } = await twoUpstreams({ outlierDetection: { consecutiveFailures: 1 } });
  bad.server.on("upgrade", (_req, socket) => {
    socket.end("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  });
  const client = await rawClient(port, handshake());
  await client.until(/503 Service Unavailable/);
  await until(() => badNow().ejectedUntil !== null);
});
