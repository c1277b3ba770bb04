import { AssertionError } from "node:assert";
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  expectShares,
  routesOf,
  type ScriptedUpstreamOptions,
  type Step,
  scriptedUpstream,
  seededRandom,
  startProxy,
  virtualClock,
} from "../../src/testing/index.ts";
import { until } from "../support/event-loop.ts";

async function scripted(steps?: readonly Step[], options?: ScriptedUpstreamOptions) {
  const upstream = await scriptedUpstream(steps, options);
  onTestFinished(() => upstream.close());
  return upstream;
}

async function started(...given: Parameters<typeof startProxy>) {
  const proxy = await startProxy(...given);
  onTestFinished(() => proxy.close());
  return proxy;
}

/** The status and body of the response, or the code of the socket's error. */
async function outcome(url: string, init?: RequestInit): Promise<string> {
  try {
    const response = await fetch(url, init);
    return `${response.status} ${await response.text()}`;
  } catch (error) {
    const { cause } = error as { cause: { code: string } };
    return cause.code;
  }
}

describe("a scripted upstream", () => {
  test("performs one step for each request and repeats the last", async () => {
    const upstream = await scripted(["ok", "503", "reset", { status: 201, body: "created", headers: { "x-a": "1" } }], {
      name: "a",
    });
    const { url } = upstream;
    const seen = [];
    for (let count = 0; count < 5; count++) seen.push(await outcome(url, { method: "POST", body: `${count}` }));
    expect(seen).toEqual(["200 a", "503 ", "ECONNRESET", "201 created", "201 created"]);
    expect(upstream.requests.map(({ body }) => body)).toEqual(["0", "1", "2", "3", "4"]);
    expect(upstream.requests[0]).toMatchObject({ method: "POST", url: "/", step: "ok" });
    await upstream.script([(_req, res) => void res.end("own")]);
    expect(await outcome(url)).toBe("200 own");
  });

  test("performs truncate, hang and slow", async () => {
    const clock = virtualClock();
    const { url, requests } = await scripted(["truncate", "hang", "slow"], { slowMs: 60_000, clock });
    expect(await outcome(url)).toBe("UND_ERR_SOCKET");
    const aborter = new AbortController();
    const hanging = fetch(url, { signal: aborter.signal });
    await until(() => requests.length === 2);
    aborter.abort();
    await expect(hanging).rejects.toMatchObject({ name: "AbortError" });
    const slow = outcome(url);
    await until(() => requests.length === 3);
    await clock.advance("1m");
    expect(await slow).toBe("200 upstream");
  });

  test("starts again with the first step when `loop` is set", async () => {
    const { url } = await scripted(["ok", "503"], { loop: true });
    expect([await outcome(url), await outcome(url), await outcome(url)]).toEqual([
      "200 upstream",
      "503 ",
      "200 upstream",
    ]);
  });

  test("refuses connections from the step `refuse` on, until it listens again on the same port", async () => {
    const upstream = await scripted(["ok", "refuse", "503"]);
    const { url } = upstream;
    expect([await outcome(url), await outcome(url)]).toEqual(["200 upstream", "ECONNREFUSED"]);
    await upstream.listen();
    expect([upstream.url, await outcome(url)]).toEqual([url, "503 "]);

    const down = await scripted(["refuse"]);
    expect(await outcome(down.url)).toBe("ECONNREFUSED");
    await down.listen();
    expect(await outcome(down.url)).toBe("200 upstream");
    await down.script(["refuse"]);
    expect(await outcome(down.url)).toBe("ECONNREFUSED");
  });

  test("responds to health checks without using up a step", async () => {
    const { url, requests } = await scripted(["503"], { healthPath: "/healthz" });
    expect([await outcome(`${url}/healthz`), await outcome(`${url}/`)]).toEqual(["200 ", "503 "]);
    expect(requests).toHaveLength(1);
  });

  test("throws for an unknown step", async () => {
    await expect(scriptedUpstream(["rest" as Step])).rejects.toThrow(
      'expected ok, slow, reset, truncate, hang, refuse or a status, found "rest"',
    );
  });
});

describe("assertions", () => {
  test("report which upstreams received the requests", async () => {
    const [a, b] = [await scripted(["ok"], { name: "a" }), await scripted(["ok"], { name: "b" })];
    expect(() => expectShares([a, b], { a: 1, b: 1 })).toThrow("no upstream has received a request");
    const upstreams = [{ url: a.url, weight: 3 }, { url: b.url }];
    const { url } = await started({ upstreams, balance: "round-robin" });
    for (let count = 0; count < 8; count++) await outcome(url);
    expect(routesOf([a, b])).toEqual(["a", "a", "b", "a", "a", "a", "b", "a"]);
    expectShares([a, b], { a: 3, b: 1 }, { within: 0 });
    expectShares([a, b], { a: 0.8, b: 0.2 });
    const off = (weights: Record<string, number>) => {
      try {
        expectShares([a, b], weights);
      } catch (error) {
        return error;
      }
      return undefined;
    };
    expect(off({ a: 1, b: 1 })).toBeInstanceOf(AssertionError);
    expect(off({ a: 1, b: 1 })).toHaveProperty(
      "message",
      "the shares of 8 requests differ from the weights by more than 0.05",
    );
    expect(off({ a: 1, b: 1 })).toMatchObject({ actual: { a: 0.75, b: 0.25 }, expected: { a: 0.5, b: 0.5 } });
    // An upstream without a weight must receive no request.
    expect(off({ a: 1 })).toMatchObject({ expected: { a: 1, b: 0 } });
  });
});

describe("the clock and the random source", () => {
  test("are controlled by the test", async () => {
    const clock = virtualClock(new Date(0));
    const upstream = await scripted(["503"], { healthPath: "/none" });
    const random = seededRandom(7);
    const { proxy } = await started(
      { upstreams: [upstream.url], healthCheck: { path: "/", interval: "10s", jitter: 0 } },
      { clock, random },
    );
    expect(proxy.snapshot().time).toBe(0);
    while (upstream.requests.length < 3) await clock.advance("10s");
    expect(proxy.snapshot().time).toBeGreaterThan(0);
    await expect(clock.advance("soon")).rejects.toThrow("expected a duration");
    expect(seededRandom(7)()).toBe(seededRandom(7)());
  });

  test("a proxy on a virtual clock closes with forwarded and outbound requests in flight", async () => {
    const upstream = await scripted(["hang"]);
    const { proxy, url, close } = await startProxy({ upstreams: [upstream.url] }, { clock: virtualClock() });
    const both = Promise.allSettled([fetch(url), proxy.outbound("default").fetch("/")]);
    await until(() => upstream.requests.length === 2);
    await close();
    expect((await both).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });
});

test("the main entry loads no file of testing/", () => {
  const src = path.join(import.meta.dirname, "../../src");
  const loaded = new Set<string>();
  const visit = (file: string) => {
    if (loaded.has(file)) return;
    loaded.add(file);
    const imports = readFileSync(file, "utf8").matchAll(/from "(\.[^"]+)"/g);
    for (const [, specifier = ""] of imports) visit(path.join(path.dirname(file), specifier));
  };
  visit(path.join(src, "index.ts"));
  expect(loaded.size).toBeGreaterThan(100);
  expect([...loaded].filter((file) => file.includes("/testing/"))).toEqual([]);
});
