import { createServer } from "node:http";
import { afterEach, expect, test } from "vitest";
import { saturate } from "../load/closed-loop.js";
import { pace } from "../load/open-loop.js";

let server;

afterEach(() => {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
});

function serve(handler) {
  server = createServer(handler);
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server.address().port)));
}

function answer(res, headers = {}) {
  res.writeHead(200, { "Content-Length": 2, ...headers }).end("ok");
}

test("a stall shows in the latency of every request that was due meanwhile", async () => {
  const stallMs = 100;
  let stalled = false;
  const port = await serve((_req, res) => {
    if (stalled) return answer(res);
    stalled = true;
    setTimeout(() => answer(res), stallMs);
  });
  const { p50, answers } = await pace({ port, target: "/", connections: 1, perSecond: 500, seconds: 0.1 });
  expect(answers).toBe(50);
  // Requests due in the middle of the stall have waited for at least half of it. Their own latency is nearly zero.
  expect(p50).toBeGreaterThan(stallMs / 3);
});

test("connections that the other side closes after an answer are opened again", async () => {
  let asked = 0;
  const port = await serve((_req, res) => {
    asked++;
    answer(res, { Connection: "close" });
  });
  const { answers } = await saturate({ port, target: "/", connections: 2, seconds: 0.05 });
  expect(answers).toBe(asked);
  expect(answers).toBeGreaterThanOrEqual(2);
});

test("every byte of an upload is sent", async () => {
  const seen = new Set();
  const port = await serve(async (req, res) => {
    let bytes = 0;
    for await (const chunk of req) bytes += chunk.length;
    seen.add(bytes);
    answer(res);
  });
  await saturate({ port, target: "/", connections: 1, seconds: 0.01, uploadBytes: 100_000 });
  expect([...seen]).toEqual([100_000]);
});

test("an answer that is no 200 fails the load", async () => {
  const port = await serve((_req, res) => res.writeHead(502, { "Content-Length": 0 }).end());
  await expect(saturate({ port, target: "/", connections: 2, seconds: 1 })).rejects.toThrow("502");
});

test("an answer that breaks off fails the load", async () => {
  const port = await serve((req, res) => {
    res.writeHead(200, { "Content-Length": 10 }).write("half", () => req.socket.destroy());
  });
  await expect(saturate({ port, target: "/", connections: 1, seconds: 1 })).rejects.toThrow(
    "before the answer was whole",
  );
});
