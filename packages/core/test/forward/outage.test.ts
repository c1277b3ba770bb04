import { describe, expect, test } from "vitest";
import type { PoolSettings } from "../../src/config/options.ts";
import { explain } from "../../src/explain/explain.ts";
import { underLoad } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { startLab } from "../support/forward-lab.ts";
import { scriptedUpstream } from "../support/scripted-upstream.ts";

const methods = ["GET", "POST", "PUT", "DELETE"] as const;

/** Longer than every pause before requests connect again. */
const reconnectMs = 1_000;

describe("a restart of the only upstream", () => {
  /** A proxy whose upstream has served a request and is gone. */
  async function gone(options: PoolSettings = {}) {
    const upstream = scriptedUpstream("a");
    const lab = startLab({ upstreams: [{ id: "a", url: upstream.url }], ...options });
    expect((await lab.fetch()).status).toBe(200);
    upstream.kill();
    const { pool, clock, requests } = lab;
    const waiting = (count: number) => until(() => pool.outage.depth === count);
    /** The upstream is back, and requests have connected again. */
    const revive = async () => {
      upstream.revive();
      await clock.advanceAsync(reconnectMs);
    };
    return { lab, pool, clock, requests, upstream, waiting, revive };
  }

  test("costs no request, whatever the method", async () => {
    const { lab, upstream, requests, waiting, revive } = await gone();
    const answers = underLoad(20, 20, (index) => {
      const method = methods[index % methods.length] as string;
      return lab.fetch(`/${index}`, { method, ...(method !== "GET" && { body: `body ${index}` }) });
    });
    await waiting(20);
    await revive();
    expect((await answers).map(({ status }) => status)).toEqual(Array(20).fill(200));
    // The first one came before the outage.
    expect(requests.slice(1).every(({ flags }) => flags.includes("outage"))).toBe(true);
    const received = upstream.received.slice(1).map(({ method, url, body }) => `${method} ${url} ${body}`);
    const sent = Array.from({ length: 20 }, (_, index) => {
      const method = methods[index % methods.length] as string;
      return `${method} /${index} ${method === "GET" ? "" : `body ${index}`}`;
    });
    expect(received.sort()).toEqual(sent.sort());
  });

  test("is 502 when it takes too long, and 502 at once from then on", async () => {
    const { lab, clock, requests } = await gone({ retry: { connectFor: "150ms" } });
    const answer = lab.fetch();
    await clock.advanceAsync(149);
    expect(requests).toHaveLength(1);
    // The time of a timer is a sum of fractions of milliseconds.
    await clock.advanceAsync(2);
    expect((await answer).status).toBe(502);
    expect(requests.at(-1)).toMatchObject({ error: "connect_refused", flags: ["outage", "retried"] });
    // On virtual time a response comes at once or never.
    const { status, headers } = await lab.fetch();
    expect([status, headers["proxy-status"]]).toEqual([502, expect.stringContaining("connect_refused")]);
    expect(requests.at(-1)?.attempts).toHaveLength(1);
  });

  test("a client that leaves meanwhile is 499", async () => {
    const { lab, waiting, pool } = await gone();
    const client = lab.begin();
    await waiting(1);
    client.leave();
    expect((await lab.finished(2))[1]).toMatchObject({ status: 499, error: "client_aborted" });
    expect(pool.outage.depth).toBe(0);
  });

  test("is to be seen in the snapshot and explained", async () => {
    const { lab, clock, waiting, revive } = await gone();
    const since = clock.wallNow();
    const answer = lab.fetch();
    await waiting(1);
    const { outage } = explain({ url: "/" }, lab.routing, clock.wallNow()).pool ?? {};
    expect(outage).toEqual({ waiting: 1, since, until: since + 2_000 });
    expect(lab.snapshot().pools[0]?.outage).toMatchObject({ since, waiting: 1 });
    await revive();
    expect((await answer).status).toBe(200);
    expect(lab.snapshot().pools[0]?.outage).toBeNull();
  });

  test("an event lists a bounded number of attempts, the last among them", async () => {
    const { lab, clock, upstream } = await gone({ retry: { connectFor: "2s" } });
    const many = Array.from({ length: 30 }, (_, index) => ({ id: `u${index}`, url: upstream.url }));
    lab.reload({ upstreams: many, retry: { connectFor: "300ms" } });
    const answer = lab.fetch();
    await clock.advanceAsync(301);
    expect((await answer).status).toBe(502);
    const { attempts = [] } = (await lab.finished(2))[1] ?? {};
    expect(attempts).toHaveLength(64);
    expect(attempts.every(({ error }) => error === "connect_refused")).toBe(true);
  });
});
