// How do I guard a path of the upstreams, when the proxy forwards everything?

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { evenkeel } from "@evenkeel/express";
import express from "express";

/**
 * Matches paths that servers resolve in different ways: empty and dot segments, backslashes, semicolons, and percent-encodings
 * of letters, digits, `-._~` (RFC 3986 section 6.2.2.2), `/`, `\`, `%` and NUL. Other encodings, as in `/caf%C3%A9`, pass.
 */
const ambiguous = /\/\/|\/\.\.?(?:\/|$)|[\\;]|%(?:00|2[5def]|3\d|4[1-9a-f]|5[\dacf]|6[1-9a-f]|7[\dae])/i;

/** Upstreams may ignore letter case. */
const admin = /^\/admin(?:\/|$)/i;

/** Forwards all requests, those under /admin for administrators only. */
export async function start(upstream: string, port = 8080) {
  const api = evenkeel({
    upstreams: [upstream],
    hooks: {
      // The path is the one that the upstream gets. The hook runs for WebSocket handshakes too, unlike middleware.
      onRequest({ path, headers, respond }) {
        const [name = ""] = path.split("?");
        if (ambiguous.test(name)) return respond({ status: 400 });
        const isAdministrator = headers.get("Authorization") === "Bearer open sesame";
        if (admin.test(name) && !isAdministrator) respond({ status: 401, headers: { "WWW-Authenticate": "Bearer" } });
      },
    },
  });
  const app = express().use(api);
  const server = createServer(app).on("upgrade", api.upgrade).on("clientError", api.clientError);
  await once(server.listen(port), "listening");
  return { port: (server.address() as AddressInfo).port, server, api };
}
