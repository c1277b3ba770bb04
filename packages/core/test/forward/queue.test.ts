import { describe, expect, test } from "vitest";
import type { PoolOptions } from "../../src/config/options.ts";
import { until } from "../support/event-loop.ts";
import { startLab } from "../support/forward-lab.ts";
import { scriptedUpstream, type UpstreamRequest } from "../support/scripted-upstream.ts";

/** A proxy over one upstream that takes one request at a time, and responds when told. */
function narrow(options: Partial<PoolOptions> = {}) {
  const held: UpstreamRequest[] = [];
  const upstream = scriptedUpstream("a", (request) => void held.push(request));
  const lab = startLab({ upstreams: [{ id: "a", url: upstream.url, maxInFlight: 1 }], ...options });
  const { pool, clock } = lab;
  /** Responds to the request that the upstream has, as soon as it has one, and says which one it was. */
  const release = async (): Promise<string> => {
    await until(() => held.length > 0);
    const [first] = held.splice(0, 1);
    first?.respond(200, [], first.url);
    return first?.url ?? "";
  };
  /** Resolves once so many wait. */
  const depth = (count: number) => until(() => pool.queue.depth === count);
  return { lab, clock, upstream, release, depth, pool };
}

test("five at a time on an upstream that takes one are served in the order of arrival", async () => {
  const { lab, release, depth, upstream } = narrow();
  const paths = ["/0", "/1", "/2", "/3", "/4"];
  const answers: Promise<string>[] = [];
  for (const [index, path] of paths.entries()) {
    answers.push(lab.fetch(path).then(({ text }) => text));
    await depth(index);
    await until(() => upstream.received.length === 1);
  }
  const order: string[] = [];
  for (const _ of paths) order.push(await release());
  expect(order).toEqual(paths);
  expect(await Promise.all(answers)).toEqual(paths);
  const events = await lab.finished(5);
  expect(events.map(({ flags }) => flags.includes("queued"))).toEqual([false, true, true, true, true]);
});

describe("a request that finds", () => {
  test("no room in the queue is 503 at once, with Retry-After", async () => {
    const { lab, release, depth, upstream } = narrow({ queue: { max: 1 } });
    const first = lab.fetch("/0");
    await until(() => upstream.received.length === 1);
    const second = lab.fetch("/1");
    await depth(1);
    const { status, headers } = await lab.fetch("/2");
    expect(status).toBe(503);
    expect(headers["retry-after"]).toMatch(/^[1-9]\d*$/);
    expect(headers["proxy-status"]).toBe('evenkeel; error=connection_limit_reached; details="queue_full"');
    expect((await lab.finished(1))[0]).toMatchObject({ status: 503, error: "queue_full", attempts: [] });
    await release();
    await release();
    expect([(await first).text, (await second).text]).toEqual(["/0", "/1"]);
  });

  test("no room in time is 503 with Retry-After, and the upstream hears nothing of it", async () => {
    const { lab, release, depth, clock, upstream } = narrow({ queue: { timeout: "5s" } });
    const first = lab.fetch("/0");
    await until(() => upstream.received.length === 1);
    const second = lab.fetch("/1");
    await depth(1);
    await clock.advanceAsync(4_999);
    expect(lab.requests).toEqual([]);
    await clock.advanceAsync(1);
    const { status, headers } = await second;
    expect([status, headers["retry-after"] !== undefined]).toEqual([503, true]);
    expect((await lab.finished(1))[0]).toMatchObject({ error: "queue_timeout", flags: ["queued"] });
    await release();
    expect((await first).text).toBe("/0");
    expect(upstream.received.map(({ url: path }) => path)).toEqual(["/0"]);
  });

  test("a queue of no length is 503 at once", async () => {
    const { lab, release, upstream } = narrow({ queue: { max: 0 } });
    const first = lab.fetch("/0");
    await until(() => upstream.received.length === 1);
    expect((await lab.fetch("/1")).status).toBe(503);
    await release();
    expect((await first).status).toBe(200);
  });
});

test("a client that leaves, leaves the queue", async () => {
  const { lab, release, depth, upstream, pool } = narrow();
  const first = lab.fetch("/0");
  await until(() => upstream.received.length === 1);
  const leaver = lab.begin("/leaver");
  await depth(1);
  const third = lab.fetch("/2");
  await depth(2);
  leaver.leave();
  expect((await lab.finished(1))[0]).toMatchObject({ url: "/leaver", status: 499, flags: ["queued"], attempts: [] });
  expect(pool.queue.depth).toBe(1);
  expect(await release()).toBe("/0");
  expect(await release()).toBe("/2");
  expect([(await first).text, (await third).text]).toEqual(["/0", "/2"]);
});

test("the deadline for the whole exchange counts while waiting", async () => {
  const { lab, release, depth, clock, upstream } = narrow({ timeouts: { total: "1s" } });
  const first = lab.fetch("/0");
  await until(() => upstream.received.length === 1);
  const second = lab.fetch("/1");
  await depth(1);
  await release();
  await first;
  await until(() => upstream.received.length === 2);
  await clock.advanceAsync(1_000);
  expect((await second).status).toBe(504);
  expect((await lab.finished(2))[1]).toMatchObject({ status: 504, error: "total_timeout" });
  expect(upstream.received[1]?.aborted).toBe(true);
});

test("a place that is taken away from the queue by its pool's changes is given back", async () => {
  const { lab, release, depth, upstream, pool } = narrow();
  const first = lab.fetch("/0");
  await until(() => upstream.received.length === 1);
  const second = lab.fetch("/1");
  await depth(1);
  const other = scriptedUpstream("other");
  pool.add({ id: "other", url: other.url });
  expect((await second).text).toBe("other");
  await release();
  expect((await first).text).toBe("/0");
});

test("an upstream at its limit is passed over while another has room", async () => {
  const other = scriptedUpstream("other");
  const a = scriptedUpstream("a", () => {});
  const lab = startLab({ balance: "round-robin", upstreams: [{ url: a.url, maxInFlight: 1 }, { url: other.url }] });
  const first = lab.fetch();
  await until(() => a.received.length === 1);
  for (let round = 0; round < 5; round++) expect((await lab.fetch()).text).toBe("other");
  a.received[0]?.respond(200, [], "a");
  expect((await first).text).toBe("a");
});
