// Passive health, alone and beside active checks.

import { expect, test } from "vitest";
import type { PoolOptions } from "../../src/config/options.ts";
import type { ProxyEvents } from "../../src/events.ts";
import { until } from "../support/event-loop.ts";
import { type ForwardLab, startLab } from "../support/forward-lab.ts";
import { type Respond, respondWith, scriptedUpstream, type UpstreamRequest } from "../support/scripted-upstream.ts";

const refusing = (text: string) => (request: UpstreamRequest) => request.respond(503, [], text);

/** Two upstreams by turns. */
function twoUpstreams(settings: Omit<PoolOptions, "upstreams">) {
  const [bad, good] = [scriptedUpstream("bad"), scriptedUpstream("good")];
  const upstreams = Object.entries({ bad, good }).map(([id, { url }]) => ({ id, url }));
  const lab = startLab({ balance: "round-robin", ...settings, upstreams });
  const ask = async () => (await lab.fetch()).text;
  return {
    bad,
    good,
    lab,
    clock: lab.clock,
    ask,
    askOften: async (times: number) => {
      const texts: string[] = [];
      for (let count = 0; count < times; count++) texts.push(await ask());
      return texts.join(" ");
    },
    badNow: () => {
      const upstream = lab.pool.snapshot().upstreams[0];
      if (upstream === undefined) throw new Error("two upstreams");
      return upstream;
    },
  };
}

/** Responds to probes, which ask for /healthz, and to other requests. */
function respondBy(probes: Respond, others: Respond): Respond {
  return (request) => (request.url === "/healthz" ? probes : others)(request);
}

function nextEvent<K extends "eject" | "readmit">(lab: ForwardLab, name: K): Promise<ProxyEvents[K][0]> {
  return new Promise((resolve) => lab.once(name, (...[event]) => resolve(event)));
}

test("an upstream that answers 503 gets as many requests as its limit, and then the other has them all", async () => {
  const { bad, askOften, badNow } = twoUpstreams({ outlierDetection: { consecutiveFailures: 3 } });
  bad.respond = refusing("bad");
  expect(await askOften(9)).toBe("bad good bad good bad good good good good");
  expect(badNow()).toMatchObject({ available: false, health: "unknown", ejections: { "consecutive-failures": 1 } });
});

test("one that refuses connections is out after as many, and no client has noticed", async () => {
  const { bad, askOften, badNow } = twoUpstreams({ outlierDetection: { consecutiveFailures: 3 } });
  bad.kill();
  expect(await askOften(9)).toBe(Array.from({ length: 9 }, () => "good").join(" "));
  expect(badNow()).toMatchObject({ ejectedUntil: expect.any(Number), outcomes: { connect_refused: 3 } });
});

test("a trial that fails is the way out for longer, one that goes well the way back, and there is one at a time", async () => {
  const { bad, lab, clock, ask, askOften, badNow } = twoUpstreams({
    outlierDetection: { consecutiveFailures: 3, baseEjectionTime: "50ms" },
  });
  bad.respond = refusing("bad");
  const first = nextEvent(lab, "eject");
  await askOften(5);
  const { forMs } = await first;
  expect(forMs).toBeLessThanOrEqual(55);

  expect(badNow().onTrial).toBe(false);
  await clock.advanceAsync(forMs);
  expect(badNow().onTrial).toBe(true);
  const second = nextEvent(lab, "eject");
  expect(await askOften(3)).toMatch(/bad/);
  expect(await second).toMatchObject({ upstream: "bad", reason: "trial-failed" });
  expect((await second).forMs).toBeGreaterThanOrEqual(100);

  await clock.advanceAsync((await second).forMs);
  expect(badNow().onTrial).toBe(true);
  bad.respond = () => {};
  const asked = bad.received.length;
  const trials = [ask(), ask()];
  await until(() => bad.received.length > asked);
  expect(await askOften(4)).toBe("good good good good");
  expect(bad.received).toHaveLength(asked + 1);
  const back = nextEvent(lab, "readmit");
  bad.respond = respondWith("well");
  bad.received.at(-1)?.respond(200, [], "well");
  expect(await back).toMatchObject({ upstream: "bad", reason: "trial" });
  expect((await Promise.all(trials)).sort()).toEqual(["good", "well"]);
  expect((await askOften(4)).split(" ").sort()).toEqual(["good", "good", "well", "well"]);
});

test("a failing request makes the next probe come at once, and one that goes well brings the upstream back", async () => {
  const { bad, lab, clock, askOften, badNow } = twoUpstreams({
    outlierDetection: { consecutiveFailures: 3, baseEjectionTime: "1h", maxEjectionTime: "1h" },
    healthCheck: { interval: "1h", fastInterval: "100ms", unhealthyThreshold: 1_000 },
  });
  await clock.advanceAsync(100);
  expect(badNow()).toMatchObject({ health: "healthy", probes: { success: 1, failure: 0 } });
  bad.kill();
  await askOften(6);
  expect(badNow()).toMatchObject({ ejectedUntil: expect.any(Number), health: "healthy", available: false });
  // The shortest time between two probes.
  await clock.advanceAsync(250);
  expect(badNow().probes.failure).toBeGreaterThan(0);
  const back = nextEvent(lab, "readmit");
  bad.revive();
  await clock.advanceAsync(200);
  expect(await back).toMatchObject({ upstream: "bad", reason: "probe" });
  expect((await askOften(4)).split(" ").sort()).toEqual(["bad", "bad", "good", "good"]);
});

test("a probe that goes well is no answer to failing statuses", async () => {
  const { bad, clock, askOften, badNow } = twoUpstreams({
    outlierDetection: { consecutiveFailures: 3 },
    healthCheck: { path: "/healthz", interval: "100ms" },
  });
  bad.respond = respondBy(respondWith("ok"), refusing("bad"));
  await clock.advanceAsync(200);
  expect(badNow().health).toBe("healthy");
  await askOften(6);
  const { success } = badNow().probes;
  await clock.advanceAsync(500);
  expect(badNow().probes.success).toBeGreaterThan(success + 2);
  expect(badNow()).toMatchObject({ ejectedUntil: expect.any(Number), health: "healthy", available: false });
});

test("either verdict is enough to keep an upstream out, and neither touches the other", async () => {
  const { bad, clock, askOften, badNow } = twoUpstreams({
    outlierDetection: { consecutiveFailures: 3 },
    healthCheck: { path: "/healthz", interval: "100ms", fastInterval: "100ms" },
  });
  bad.respond = respondBy(refusing("bad"), respondWith("well"));
  await clock.advanceAsync(1_000);
  expect(badNow()).toMatchObject({ health: "unhealthy", ejectedUntil: null, available: false });
  expect(await askOften(3)).toBe("good good good");
  bad.respond = respondWith("well");
  await clock.advanceAsync(1_000);
  expect(badNow().health).toBe("healthy");
  expect((await askOften(2)).split(" ").sort()).toEqual(["good", "well"]);
});
