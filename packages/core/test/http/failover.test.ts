import { describe, expect, test } from "vitest";
import { fetchFrom, keepAlive, underLoad } from "../support/client.ts";
import { refusingUrl } from "../support/refusing-port.ts";
import { onlyPool, startProxy } from "../support/start-proxy.ts";
import { startRawUpstream, startUpstream } from "../support/start-upstream.ts";

describe("an upstream that is killed under load", () => {
  test("fails no GET", async () => {
    const [a, b] = [await startUpstream("a"), await startUpstream("b")];
    const { url, proxy } = await startProxy({ upstreams: [a.url, b.url] });
    const agent = keepAlive(20);
    let killed: Promise<void> | undefined;
    let revived: Promise<void> | undefined;
    const answers = await underLoad(2_000, 20, async (index) => {
      if (index === 500) killed = a.kill();
      if (index === 1_500) revived = killed?.then(() => a.revive());
      return (await fetchFrom(url, { agent })).status;
    });
    await revived;
    expect(answers.filter((status) => status !== 200)).toEqual([]);
    expect(b.received.length).toBeGreaterThan(1_000);
    expect(proxy.snapshot().requests).toMatchObject([{ method: "GET", code: 200, count: 2_000 }]);
  });

  test("is found unhealthy within its thresholds, and healthy again after it returns", async () => {
    const [a, b] = [await startUpstream("a"), await startUpstream("b")];
    const healthCheck = {
      interval: "100ms",
      fastInterval: "100ms",
      timeout: "500ms",
      unhealthyThreshold: 3,
      healthyThreshold: 2,
      path: "/healthz",
    };
    const upstreams = [
      { id: "a", url: a.url },
      { id: "b", url: b.url },
    ];
    const { url, proxy } = await startProxy({ upstreams, balance: "round-robin", healthCheck });
    const becomes = (health: string) =>
      new Promise<string>((resolve) => {
        proxy.on("health", ({ upstream, to, reason }) => {
          if (upstream === "a" && to === health) resolve(reason);
        });
      });
    await becomes("healthy");
    const before = proxy.snapshot().pools[0]?.upstreams[0]?.probes.failure ?? 0;
    const unhealthy = becomes("unhealthy");
    await a.kill();
    await unhealthy;
    const { probes } = onlyPool(proxy).snapshot().upstreams[0] ?? {};
    expect((probes?.failure ?? 0) - before).toBe(3);

    const { requests } = { requests: a.received.length };
    const answers = await underLoad(20, 5, () => fetchFrom(url));
    expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(["b"]));
    expect(answers.every(({ status }) => status === 200)).toBe(true);

    const healthy = becomes("healthy");
    await a.revive();
    await healthy;
    expect(a.received.slice(requests).map(({ url: path }) => path)).toEqual(["/healthz", "/healthz"]);
    const again = await underLoad(20, 5, () => fetchFrom(url));
    expect(again.filter(({ text }) => text === "a")).toHaveLength(10);
  });
});

describe("with every upstream down", () => {
  test.each([1, 3])("%s refused: 502 at once, with Proxy-Status, after trying each once", async (count) => {
    const urls = await Promise.all(Array.from({ length: count }, refusingUrl));
    const { url, finished } = await startProxy({ upstreams: urls });
    const before = performance.now();
    const { status, headers, text } = await fetchFrom(url);
    expect(performance.now() - before).toBeLessThan(500);
    expect(status).toBe(502);
    expect(headers["proxy-status"]).toBe('evenkeel; error=connection_refused; details="connect_refused"');
    expect(headers["via"]).toBe("1.1 evenkeel");
    for (const address of urls) expect(text + JSON.stringify(headers)).not.toContain(new URL(address).port);
    const [event] = await finished(1);
    expect(event).toMatchObject({ status: 502, error: "connect_refused" });
    expect(event?.attempts.map(({ error }) => error)).toEqual(Array(count).fill("connect_refused"));
    expect(event?.requestId).toBe(headers["x-request-id"]);
    expect(new Set(event?.attempts.map(({ upstream }) => upstream)).size).toBe(count);
  });

  test("a hundred requests in a row and at once all get their answer", async () => {
    const { url } = await startProxy({ upstreams: [await refusingUrl(), await refusingUrl()] });
    const answers = await underLoad(100, 50, () => fetchFrom(url));
    expect(answers.map(({ status }) => status)).toEqual(Array(100).fill(502));
  });

  test.each(["POST", "PATCH", "PUT", "DELETE", "HEAD"])("a %s gets the same", async (method) => {
    const { url } = await startProxy({ upstreams: [await refusingUrl()] });
    const { status, text } = await fetchFrom(url, { method, ...(method !== "HEAD" && { body: "x" }) });
    expect(status).toBe(502);
    expect(text === "").toBe(method === "HEAD");
  });

  test("unhealthy ones are tried all the same, unless panic is off", async () => {
    const a = await startUpstream("a");
    const { url, proxy, finished } = await startProxy({ upstreams: [{ id: "a", url: a.url }] });
    const pool = onlyPool(proxy);
    const [member] = pool.upstreams;
    if (member === undefined) throw new Error("one member");
    pool.setHealth(member, "unhealthy", "status 503");
    expect((await fetchFrom(url)).status).toBe(200);
    expect((await finished(1))[0]?.flags).toEqual(["panic"]);

    const strict = await startProxy({ panic: "fail", upstreams: [{ id: "a", url: a.url }] });
    const strictPool = onlyPool(strict.proxy);
    strictPool.setState("a", "disabled");
    const { status, headers } = await fetchFrom(strict.url);
    expect(status).toBe(503);
    expect(headers["proxy-status"]).toContain('details="none_available"');
    expect(headers["retry-after"]).toMatch(/^\d+$/);
    expect(a.received).toHaveLength(1);
  });

  test("an empty pool is 503", async () => {
    const { url } = await startProxy({ pools: { none: {} } });
    const { status, headers } = await fetchFrom(url);
    expect([status, headers["proxy-status"]]).toEqual([
      503,
      'evenkeel; error=destination_unavailable; details="none_available"',
    ]);
  });
});

describe("moving on", () => {
  test("from a refused connection costs neither an attempt nor budget, and is told", async () => {
    const b = await startUpstream("b");
    const upstreams = [
      { id: "down1", url: await refusingUrl() },
      { id: "down2", url: await refusingUrl() },
      { id: "b", url: b.url, backup: true },
    ];
    const retry = { attempts: 0, budget: 0, minRetriesPerSecond: 0 };
    const { url, proxy, finished } = await startProxy({ upstreams, balance: "round-robin", retry });
    const retries: string[] = [];
    proxy.on("retry", ({ upstream, reason }) => retries.push(`${upstream} ${reason}`));
    expect((await fetchFrom(url, { method: "POST", body: "once" })).text).toBe("b");
    expect(retries).toEqual(["down1 connect_refused", "down2 connect_refused"]);
    const [event] = await finished(1);
    expect(event).toMatchObject({ status: 200, upstream: "b", error: undefined, flags: ["retried"] });
    expect(event?.attempts.map(({ upstream, error, status }) => [upstream, error ?? status])).toEqual([
      ["down1", "connect_refused"],
      ["down2", "connect_refused"],
      ["b", 200],
    ]);
    expect(onlyPool(proxy).snapshot().retries).toEqual({ connect_refused: 2 });
  });

  test("stops after the attempts that are allowed", async () => {
    const bad = await Promise.all(Array.from({ length: 4 }, () => startRawUpstream((socket) => socket.destroy())));
    const { url, finished } = await startProxy({ upstreams: bad.map((each) => each.url), retry: { attempts: 2 } });
    const { status, headers } = await fetchFrom(url);
    expect([status, headers["proxy-status"]]).toEqual([502, 'evenkeel; error=connection_terminated; details="reset"']);
    expect((await finished(1))[0]?.attempts).toHaveLength(3);
    expect(bad.map((each) => each.heads.length).reduce((sum, count) => sum + count)).toBe(3);
  });

  test("when every one answers with such a status, the last answer is passed on", async () => {
    const upstreams = await Promise.all(["a", "b"].map((name) => startUpstream(name)));
    for (const each of upstreams) each.answer = (_req, res) => void res.writeHead(503).end("full");
    const { url } = await startProxy({
      upstreams: upstreams.map((each) => each.url),
      retry: { on: ["503"], attempts: 5 },
    });
    const { status, text, headers } = await fetchFrom(url);
    expect([status, text, headers["proxy-status"]]).toEqual([503, "full", undefined]);
    // One attempt and five retries: each upstream once, then those that failed.
    expect(upstreams[0]?.received.length).toBeGreaterThan(0);
    expect(upstreams[1]?.received.length).toBeGreaterThan(0);
    expect(upstreams.reduce((sum, { received }) => sum + received.length, 0)).toBe(6);
  });
});
