import { test } from "vitest";
import { rawClient } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { onlyPool, startProxy } from "../support/start-proxy.ts";
import { startUpstream } from "../support/start-upstream.ts";
import { handshake } from "../support/web-sockets.ts";

test("a WebSocket handshake that is refused with a failing status counts like any other answer", async () => {
  const bad = await startUpstream("bad");
  const upstreams = [
    { id: "bad", url: bad.url },
    { id: "good", url: (await startUpstream("good")).url },
  ];
  const outlierDetection = { consecutiveFailures: 1 };
  const { port, proxy } = await startProxy({ balance: "round-robin", outlierDetection, upstreams });
  bad.server.on("upgrade", (_req, socket) => {
    socket.end("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  });
  const client = await rawClient(port, handshake());
  await client.until(/503 Service Unavailable/);
  await until(() => onlyPool(proxy).snapshot().upstreams[0]?.ejectedUntil !== null);
});
