import { describe, expect, test } from "vitest";
import { rawClient } from "../support/client.ts";
import { startProxy } from "../support/start-proxy.ts";
import { startRawUpstream } from "../support/start-upstream.ts";
import { connectSocket, echo, handshake, startEcho, switching } from "../support/web-sockets.ts";

describe("onRequest", () => {
  test("sets headers in place of the proxy's own, each once, for requests and for handshakes", async () => {
    const values = {
      ...{ Host: "chat.internal", "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "shop.example" },
      ...{ "X-Forwarded-Proto": "https", "X-Forwarded-Port": "443", "X-Forwarded-Prefix": "/shop" },
      ...{ "X-Request-Id": "from-the-app", Via: "1.1 edge", "X-Real-IP": "203.0.113.9" },
    };
    const upstream = await startRawUpstream((socket) => void socket.write(switching()));
    const { port } = await startProxy(
      { pools: { p: { upstreams: [upstream.url] } }, routes: [{ pool: "p", preserveHost: false }] },
      {
        runtime: {
          onRequest: ({ headers }) => {
            for (const [name, value] of Object.entries(values)) headers.set(name, value);
          },
        },
      },
    );
    const get = await rawClient(port, "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-Proto: http\r\n\r\n");
    await get.until(/\r\n\r\n/);
    const upgrade = await rawClient(port, handshake());
    await upgrade.until(/\r\n\r\n/);
    expect(upstream.heads).toHaveLength(2);
    for (const head of upstream.heads) {
      const lines = head.split("\r\n");
      for (const [name, value] of Object.entries(values)) {
        const found = lines.filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`));
        expect(found).toEqual([`${name}: ${value}`]);
      }
    }
  });

  test("stands in front of WebSockets, too", async () => {
    const upstream = await startEcho();
    let allowed = true;
    const { url } = await startProxy(
      { upstreams: [upstream.url] },
      {
        runtime: {
          onRequest: (context) => {
            if (!allowed) context.respond({ status: 403 });
          },
        },
      },
    );
    const socket = await connectSocket(url);
    await echo(socket, "hello");
    socket.close();
    allowed = false;
    await expect(connectSocket(url)).rejects.toThrow("403");
  });
});
