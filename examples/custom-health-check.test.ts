import type { HealthEvent } from "evenkeel";
import { expect, onTestFinished, test } from "vitest";
import { ask, closeServer, startUpstream } from "../packages/core/test/support/adapter-lab.ts";
import { judge, start } from "./custom-health-check/main.ts";

test("a word in the response of a probe, and a custom check, decide which upstreams get requests", async () => {
  const say = (name: string, database: string) =>
    startUpstream(name, (req, res) => {
      const probed = req.url === "/status" && req.headers.host === "probe.internal";
      res.end(probed ? `database: ${database}\n` : name);
    });
  const lags = new Map([
    ["x", 0],
    ["y", 60],
  ]);
  const replicate = (name: string) =>
    startUpstream(name, (req, res) => res.end(req.url === "/lag" ? `${lags.get(name)}` : name));
  const [a, b, x, y] = await Promise.all([say("a", "slow"), say("b", "gone"), replicate("x"), replicate("y")]);
  const { port, proxy, server } = await start([a.url, b.url], [x.url, y.url], 0);
  onTestFinished(async () => {
    await proxy.close({ timeout: "0s" });
    await closeServer(server);
  });
  const verdict = () => new Promise<HealthEvent>((resolve) => void proxy.once("health", resolve));
  const asked = async (path: string, requests = 6) => {
    const names = [];
    for (let count = 0; count < requests; count++) names.push((await ask(port, { path })).body.toString());
    return [...new Set(names)];
  };

  while (proxy.pools.get("web")?.available.length !== 1) await verdict();
  expect(await asked("/")).toEqual(["a"]);

  await judge(proxy);
  expect(await asked("/reports")).toEqual(["x"]);
  lags.set("y", 3);
  const told = verdict();
  await judge(proxy);
  expect(await told).toMatchObject({ pool: "replicas", to: "healthy", reason: "3 seconds behind" });
  // The policy draws at random: 40 requests that all reach the same of two upstreams are a chance of 1 in 5 * 10^11.
  expect((await asked("/reports", 40)).toSorted()).toEqual(["x", "y"]);
});
