import { describe, expect, test } from "vitest";
import { rawClient } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { startProxy } from "../support/start-proxy.ts";
import { startUpstream } from "../support/start-upstream.ts";
import { handshake, startEcho } from "../support/web-sockets.ts";

const secret = "a secret for tests";

describe("the cookie", () => {
  test("goes with the 101 of an upgrade, and brings the next one to the same upstream", async () => {
    const echoes = { a: await startEcho("a"), b: await startEcho("b") };
    const upstreams = Object.entries(echoes).map(([id, { url }]) => ({ id, url }));
    const { port, requests } = await startProxy({ upstreams, balance: "round-robin", sticky: { secret } });
    const shake = async (...lines: string[]) => {
      const client = await rawClient(port, handshake("/", lines));
      const text = await client.until(/101 Switching[^]*\r\n\r\n/);
      client.socket.destroy();
      return /^set-cookie: (evenkeel=[\w-]{43});/im.exec(text)?.[1];
    };
    const cookie = await shake();
    expect(cookie).toBeDefined();
    expect(await shake(`Cookie: ${cookie}`)).toBeUndefined();
    expect(await shake(`Cookie: ${cookie}`)).toBeUndefined();
    await until(() => requests.length === 3);
    expect(new Set(requests.map(({ upstream }) => upstream)).size).toBe(1);
  });

  test("goes with the answer to an upgrade that is refused", async () => {
    const { url } = await startUpstream("a");
    const { port } = await startProxy({ upstreams: [url], sticky: { secret } });
    const client = await rawClient(port, handshake());
    expect((await client.over()).text).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*set-cookie: evenkeel=/i);
  });
});
