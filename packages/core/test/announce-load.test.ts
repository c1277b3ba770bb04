import { readFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Worker } from "node:worker_threads";
import ts from "typescript";
import { describe, expect, onTestFinished, test } from "vitest";
import { announceLoad, loopLoad } from "../src/announce-load.ts";
import { fetchFrom } from "./support/client.ts";
import { onlyPool, startProxy } from "./support/start-proxy.ts";

/** A simulated event loop, with methods that add active and idle time. */
function loop() {
  const spent = { active: 0, idle: 0 };
  return {
    read: () => ({ ...spent, utilization: 0 }),
    work: (ms: number) => {
      spent.active += ms;
    },
    rest: (ms: number) => {
      spent.idle += ms;
    },
  };
}

describe("loopLoad", () => {
  test("first returns the utilization since its creation", () => {
    const { read, work, rest } = loop();
    work(9_999);
    const load = loopLoad(read);
    work(30);
    rest(70);
    expect(load()).toBeCloseTo(0.3, 10);
  });

  test("returns 0 when no time has passed", () => {
    const load = loopLoad(loop().read);
    expect([load(), load()]).toEqual([0, 0]);
  });

  test("follows the utilization up and down within a few seconds", () => {
    const { read, work, rest } = loop();
    const load = loopLoad(read);
    rest(1_000);
    expect(load()).toBe(0);
    work(1_000);
    expect(load()).toBeCloseTo(1 - Math.exp(-1), 10);
    work(4_000);
    expect(load()).toBeGreaterThan(0.99);
    rest(5_000);
    expect(load()).toBeLessThan(0.01);
  });

  test("returns the same value however often it is called", () => {
    const [often, once] = [loop(), loop()];
    const [oftenLoad, onceLoad] = [loopLoad(often.read), loopLoad(once.read)];
    for (const each of [often, once]) each.rest(10);
    expect(oftenLoad()).toBe(onceLoad());
    for (let ms = 0; ms < 700; ms++) {
      often.work(1);
      oftenLoad();
    }
    once.work(700);
    expect(oftenLoad()).toBeCloseTo(onceLoad(), 10);
  });
});

describe("announceLoad", () => {
  async function listen(server: Server): Promise<string> {
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    onTestFinished(() => void server.close());
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const app: RequestListener = (_req, res) => res.writeHead(200, { "X-App": "1" }).end("app");

  test.each([
    [0.25, "0.250"],
    [-1, "0.000"],
    [7, "1.000"],
    [1e-9, "0.000"],
    [Number.NaN, undefined],
  ])("announces %d as %s", async (load, text) => {
    const url = await listen(createServer(announceLoad({ loadOf: () => load })).on("request", app));
    expect((await fetchFrom(url)).headers).toMatchObject({ "x-app": "1" });
    expect((await fetchFrom(url)).headers["x-evenkeel-load"]).toBe(text);
  });

  test("works as middleware, with another header name", async () => {
    const announce = announceLoad({ header: "X-Load", loadOf: () => 0.5 });
    const url = await listen(createServer((req, res) => announce(req, res, () => app(req, res))));
    expect(await fetchFrom(url)).toMatchObject({ text: "app", headers: { "x-load": "0.500" } });
  });

  test("does not change a response whose headers were sent", async () => {
    const url = await listen(createServer(app).on("request", announceLoad()));
    expect(await fetchFrom(url)).toMatchObject({ status: 200, text: "app" });
  });

  test("throws for an invalid header name", () => {
    expect(() => announceLoad({ header: "a b" })).toThrow(TypeError);
  });

  test("reduces the weight of a server whose event loop is busy", async () => {
    const [busy, idle] = await Promise.all([startServer("busy"), startServer("idle")]);
    const loads = [busy, idle].map(async (url) => Number((await fetchFrom(url)).headers["x-evenkeel-load"]));
    const [busyLoad = 0, idleLoad = 1] = await Promise.all(loads);
    expect(busyLoad).toBeGreaterThan(0.8);
    expect(idleLoad).toBeLessThan(0.5);

    const { url, proxy } = await startProxy({
      upstreams: [
        { id: "busy", url: busy },
        { id: "idle", url: idle },
      ],
      balance: "round-robin",
      weights: { mode: "announced" },
    });
    for (let count = 0; count < 2; count++) await fetchFrom(url);
    const weightOf = (id: string) => onlyPool(proxy).get(id)?.effectiveWeight ?? 0;
    expect(weightOf("busy")).toBeLessThan(0.5);
    expect(weightOf("idle")).toBeGreaterThan(weightOf("busy"));
  });

  /** Starts a server in its own thread and resolves after its event loop has been busy or idle for 300 ms. */
  async function startServer(how: "busy" | "idle"): Promise<string> {
    const source = readFileSync(new URL("../src/announce-load.ts", import.meta.url), "utf8");
    const { outputText } = ts.transpileModule(source, { compilerOptions: { module: ts.ModuleKind.ESNext } });
    const worker = new Worker(
      `
      const { createServer } = require("node:http");
      const { parentPort, workerData } = require("node:worker_threads");
      import(workerData.module).then(({ announceLoad }) => {
        const server = createServer(announceLoad()).on("request", (req, res) => res.end());
        const spin = () => { for (const end = Date.now() + 300; Date.now() < end; ); };
        server.listen(0, "127.0.0.1", () => {
          if (workerData.how === "busy") setInterval(spin, 1);
          setTimeout(() => parentPort.postMessage(server.address().port), 300);
        });
      });
      `,
      { eval: true, workerData: { how, module: `data:text/javascript,${encodeURIComponent(outputText)}` } },
    );
    onTestFinished(async () => void (await worker.terminate()));
    const port = await new Promise<number>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    return `http://127.0.0.1:${port}`;
  }
});
