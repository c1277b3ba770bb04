import { describe, expect, test } from "vitest";
import { OptionsError } from "../../src/config/issues.ts";
import type { ProxyOptions } from "../../src/config/options.ts";
import { ProxyError } from "../../src/errors.ts";
import type { ReloadEvent } from "../../src/events.ts";
import { fetchFrom, keepAlive, underLoad } from "../support/client.ts";
import { turns, until } from "../support/event-loop.ts";
import { onlyPool, startProxy } from "../support/start-proxy.ts";
import { startUpstream } from "../support/start-upstream.ts";
import { connectSocket, echo, startEcho } from "../support/web-sockets.ts";

const upstreamOf = (id: string, url: string, weight = 1) => ({ id, url, weight });

describe("a hundred reloads under load", () => {
  test("lose no request, whatever changes", async () => {
    const servers = await Promise.all(["a", "b", "c"].map((name) => startUpstream(name)));
    const [a, b, c] = servers.map(({ url }) => url);
    if (a === undefined || b === undefined || c === undefined) throw new Error("three servers");
    const variants: ProxyOptions[] = [
      { upstreams: [upstreamOf("a", a), upstreamOf("b", b)] },
      { upstreams: [upstreamOf("b", b, 5), upstreamOf("c", c)], balance: "round-robin" },
      { upstreams: [upstreamOf("a", c)], connections: { keepAlive: "3s" } },
      { upstreams: [upstreamOf("c", c), upstreamOf("a", a)], timeouts: { headers: "20s" }, balance: "least-requests" },
      { pools: { default: { upstreams: [a] }, other: { upstreams: [b] } }, routes: [{ pool: "other" }] },
    ];
    const { url, proxy } = await startProxy(variants[0] as ProxyOptions);
    const agent = keepAlive(20);
    let running = true;
    const requests = underLoad(2_000, 20, async (index) => {
      const ask = { agent, ...(index % 3 === 0 && { method: "POST", body: "x".repeat(index) }) };
      return (await fetchFrom(url, ask)).status;
    }).finally(() => {
      running = false;
    });
    let reloads = 0;
    for (; reloads < 100 || running; reloads++) {
      proxy.reload(variants[(reloads + 1) % variants.length] as ProxyOptions);
      await turns(5);
    }
    expect((await requests).filter((status) => status !== 200)).toEqual([]);
    expect(proxy.snapshot().reloads).toEqual({ succeeded: reloads, failed: 0, lastSuccessful: true });
    for (const server of servers) expect(server.received.length).toBeGreaterThan(0);
  });
});

describe("a reload that is wrong", () => {
  test("changes nothing and says everything", async () => {
    const a = await startUpstream("a");
    const { url, proxy } = await startProxy({ upstreams: [upstreamOf("a", a.url)] });
    const events: ReloadEvent[] = [];
    proxy.on("reload", (event) => events.push(event));
    const before = proxy.snapshot();
    const wrong = { upstreams: ["ftp://x", { url: a.url, weight: 1_000 }], balance: "best" } as unknown as ProxyOptions;
    let thrown: unknown;
    try {
      proxy.reload(wrong);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(OptionsError);
    expect((thrown as OptionsError).issues.map(({ path }) => path.join("."))).toEqual(
      expect.arrayContaining(["upstreams.0", "upstreams.1.weight", "balance"]),
    );
    expect(events).toEqual([{ ok: false, error: thrown }]);
    expect(proxy.snapshot().pools).toEqual(before.pools);
    expect(proxy.snapshot().reloads).toEqual({ succeeded: 0, failed: 1, lastSuccessful: false });
    expect((await fetchFrom(url)).text).toBe("a");
    proxy.reload({ upstreams: [upstreamOf("a", a.url)] });
    expect(proxy.snapshot().reloads).toEqual({ succeeded: 1, failed: 1, lastSuccessful: true });
  });
});

describe("a reload that has no options to check", () => {
  test("is emitted and counted, and the options in force stay in force", async () => {
    const a = await startUpstream("a");
    const { url, proxy } = await startProxy({ upstreams: [upstreamOf("a", a.url)] });
    const events: ReloadEvent[] = [];
    proxy.on("reload", (event) => events.push(event));
    const before = proxy.snapshot();
    const missing = new Error("no such file");
    const reported = proxy.reloadFailed(missing);
    expect(reported).toBeInstanceOf(ProxyError);
    expect(reported).toMatchObject({ code: "invalid_options", message: "no such file", cause: missing });
    const mistake = new OptionsError([{ path: ["balance"], message: "expected another" }]);
    expect(proxy.reloadFailed(mistake)).toBe(mistake);
    expect(proxy.reloadFailed("odd").message).toBe("odd");
    expect(events.map((event) => (event.ok ? "" : event.error.message))).toEqual([
      "no such file",
      mistake.message,
      "odd",
    ]);
    expect(proxy.snapshot().pools).toEqual(before.pools);
    expect(proxy.snapshot().reloads).toEqual({ succeeded: 0, failed: 3, lastSuccessful: false });
    expect((await fetchFrom(url)).text).toBe("a");
  });
});

describe("what stays over a reload", () => {
  test("the tunnels of an upstream that stays, and of one that goes", async () => {
    const [a, b] = [await startEcho("a"), await startEcho("b")];
    const { url, proxy } = await startProxy({
      balance: "round-robin",
      upstreams: [upstreamOf("a", a.url), upstreamOf("b", b.url)],
    });
    const [first, second] = [await connectSocket(url), await connectSocket(url)];
    const drained: string[] = [];
    proxy.on("member", ({ upstream, change }) => drained.push(`${upstream} ${change}`));
    proxy.reload({ balance: "random", upstreams: [upstreamOf("a", a.url)] });
    expect((await echo(first, "still")).data.toString()).toBe("still");
    expect((await echo(second, "here")).data.toString()).toBe("here");
    expect(drained).toEqual(["b removed"]);
    expect(onlyPool(proxy).tunnels).toBe(2);
    second.close();
    await until(() => drained.length === 2);
    expect(drained).toEqual(["b removed", "b drained"]);
    first.close();
    await until(() => onlyPool(proxy).tunnels === 0);
  });
});

test("connections are made anew when what they are made with changes", async () => {
  const a = await startUpstream("a");
  const options = { upstreams: [upstreamOf("a", a.url)] };
  const { url, proxy } = await startProxy(options);
  await fetchFrom(url);
  expect(a.sockets.size).toBe(1);
  proxy.reload({ ...options, connections: { keepAlive: "2s" } });
  await until(() => a.sockets.size === 0);
  expect((await fetchFrom(url)).text).toBe("a");
});
