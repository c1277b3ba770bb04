import type { RequestListener } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { ask, closeServer, startUpstream } from "../packages/core/test/support/adapter-lab.ts";
import { rollOut, start } from "./canary/main.ts";

async function lab(green: RequestListener) {
  const served = { blue: 0, green: 0 };
  const blueUpstream = await startUpstream("blue", (_req, res) => {
    served.blue++;
    res.end();
  });
  const greenUpstream = await startUpstream("green", (req, res) => {
    served.green++;
    green(req, res);
  });
  const { port, proxy, server } = await start(blueUpstream.url, greenUpstream.url, 0);
  onTestFinished(async () => {
    await proxy.close({ timeout: "0s" });
    await closeServer(server);
  });
  const shares: number[] = [];
  /** A soak of a hundred requests, which records green's share of them. */
  const soak = async () => {
    const before = served.green;
    for (let count = 0; count < 100; count++) await ask(port);
    shares.push(served.green - before);
  };
  return { proxy, shares, soak };
}

test("a healthy version gets a growing share, and finally all requests", async () => {
  const { proxy, shares, soak } = await lab((_req, res) => void res.end());
  expect(await rollOut(proxy, soak, [0, 50, 100])).toBe(true);
  expect([shares[0], shares[2]]).toEqual([0, 100]);
  expect(shares[1]).toBeGreaterThan(20);
  expect(shares[1]).toBeLessThan(80);
});

test("a failing version is rolled back", async () => {
  const { proxy, shares, soak } = await lab((_req, res) => void res.writeHead(500).end());
  expect(await rollOut(proxy, soak, [50, 100])).toBe(false);
  await soak();
  expect(shares).toHaveLength(2);
  expect(shares[0]).toBeGreaterThan(0);
  expect(shares[1]).toBe(0);
});
