import { expect, onTestFinished, test, vi } from "vitest";
import { begin, fetchFrom, responseTo } from "../support/client.ts";
import { deepFrozen } from "../support/frozen.ts";
import { startProxy } from "../support/start-proxy.ts";
import { startRawUpstream, startUpstream } from "../support/start-upstream.ts";

test("a snapshot is plain frozen data", async () => {
  const upstream = await startUpstream("a");
  const { url, proxy, finished } = await startProxy({ upstreams: [upstream.url] });
  await fetchFrom(url);
  await finished(1);
  const snapshot = proxy.snapshot();
  expect(snapshot.requests).toMatchObject([{ code: 200, count: 1 }]);
  expect(deepFrozen(snapshot)).toBe(true);
  expect(JSON.parse(JSON.stringify(snapshot))).toEqual(snapshot);
});

test("a reused connection has no time to connect", async () => {
  const upstream = await startUpstream("a");
  const { url, proxy, finished } = await startProxy({ upstreams: [upstream.url] });
  await fetchFrom(url);
  // A connection rests for some milliseconds after its answer.
  for (let requests = 1; ; requests++) {
    await fetchFrom(url);
    const event = (await finished(requests + 1)).at(-1);
    if (event?.attempts[0]?.connectMs === undefined) break;
  }
  expect(upstream.sockets.size).toBeLessThan(proxy.snapshot().pools[0]?.upstreams[0]?.outcomes.success ?? 0);
});

test("listeners that throw break nothing, on any event", async () => {
  const spy = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  onTestFinished(() => spy.mockRestore());
  const [a, b] = [await startRawUpstream((socket) => socket.destroy()), await startUpstream("b")];
  const upstreams = [
    { id: "a", url: a.url },
    { id: "b", url: b.url },
  ];
  const { url, proxy, finished } = await startProxy({ balance: "round-robin", upstreams });
  const names = ["request", "attempt", "retry", "health", "weight", "state", "member", "reload", "tunnel"] as const;
  const thrown: string[] = [];
  for (const name of names) {
    proxy.on(name, () => {
      thrown.push(name);
      throw new Error(name);
    });
  }
  expect((await fetchFrom(url)).text).toBe("b");
  const pool = proxy.pools.get("default");
  pool?.setWeight("a", 2);
  pool?.setState("a", "draining");
  pool?.remove("a");
  proxy.reload({ upstreams: [{ id: "b", url: b.url }] });
  expect((await fetchFrom(url)).text).toBe("b");
  await finished(2);
  expect(spy).toHaveBeenCalledTimes(thrown.length);
  expect([...new Set(thrown)].sort()).toEqual(["attempt", "member", "reload", "request", "retry", "state", "weight"]);
});

test("a listener may do anything to the proxy, a reload and a close too", async () => {
  const [a, b] = [await startUpstream("a"), await startUpstream("b")];
  const { url, proxy, finished } = await startProxy({ upstreams: [a.url] });
  proxy.once("attempt", () => void proxy.reload({ upstreams: [b.url] }));
  const first = begin(url).end();
  const response = await responseTo(first);
  response.resume();
  expect(response.statusCode).toBe(200);
  expect((await fetchFrom(url)).text).toBe("b");
  let closing: Promise<void> | undefined;
  proxy.once("attempt", () => {
    closing = proxy.close();
  });
  expect((await fetchFrom(url)).status).toBe(200);
  await closing;
  expect(await finished(3)).toHaveLength(3);
});
