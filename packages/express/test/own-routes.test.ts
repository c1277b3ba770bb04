/** Requests that offer HTTP/2 by an upgrade, as Java's HttpClient sends them, to the app's own routes. */

import http, { type Server } from "node:http";
import type { Express } from "express";
import { describe, expect, test } from "vitest";
import { listen, startUpstream } from "../../core/test/support/adapter-lab.ts";
import { rawClient } from "../../core/test/support/client.ts";
import type { EvenkeelMiddleware } from "../src/index.ts";
import { create, versions } from "./support/app.ts";

const offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
const json = "Content-Type: application/json\r\n";

const mounts: readonly [string, (server: Server, api: EvenkeelMiddleware) => void][] = [
  ["attach", (server, api) => api.attach(server)],
  ["a listener", (server, api) => void server.on("upgrade", api.upgrade)],
  ["a listener that hands on", (server, api) => void server.on("upgrade", (...args) => api.upgrade(...args))],
];

describe.each(versions)("%s", (_name, express) => {
  describe.each(mounts)("with %s", (_how, mount) => {
    async function serve(use: (app: Express) => void): Promise<number> {
      const app = express();
      const { url } = await startUpstream("a", (req, res) => void req.on("end", () => res.end("up")).resume());
      const api = create({ upstreams: [url], prefix: "/api" });
      use(app);
      app.use("/api", api);
      app.post("/orders", express.json(), (req, res) => void res.json({ got: req.body ?? null }));
      const server = http.createServer(app);
      mount(server, api);
      return listen(server);
    }

    test.each([
      ["a length", `Content-Length: 12\r\n\r\n{"amount":7}`],
      ["chunks", `Transfer-Encoding: chunked\r\n\r\nc\r\n{"amount":7}\r\n0\r\n\r\n`],
      ["a length, once it may go on", `Expect: 100-continue\r\nContent-Length: 12\r\n\r\n{"amount":7}`],
    ])("an app's own route gets a body with %s, and the connection stays open", async (_framing, rest) => {
      const port = await serve(() => {});
      const request = `POST /orders HTTP/1.1\r\nHost: h\r\n${json}${offer}${rest}`;
      const client = await rawClient(port, request);
      await client.until(/\{"got":\{"amount":7\}\}$/);
      client.socket.write(
        `${request}POST /api/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${json}${offer.split("\r\n").slice(1).join("\r\n")}Content-Length: 2\r\n\r\n{}`,
      );
      const { text } = await client.over();
      expect(text.match(/\{"got":\{"amount":7\}\}/g)).toHaveLength(2);
      expect(text).toMatch(/\r\n\r\nup$|\r\nup\r\n0\r\n\r\n$/);
    });

    test("middleware in front of the proxy runs for a request that offers h2c", async () => {
      const port = await serve((app) => app.use((_req, res) => void res.status(401).send("who are you?")));
      const request = `POST /api/x HTTP/1.1\r\nHost: h\r\n${offer}Content-Length: 2\r\n\r\n{}`;
      const client = await rawClient(port, request);
      expect(await client.until(/who are you\?$/)).toMatch(/^HTTP\/1\.1 401 /);
    });
  });
});

test("an upgrade that the middleware does not take goes to next, unchanged", async () => {
  const { url } = await startUpstream("a");
  const api = create({ pools: { api: { upstreams: [url] } }, routes: [{ path: "/ws", pool: "api" }], prefix: "/api" });
  const server = http.createServer();
  server.on("upgrade", (req, socket, head) => {
    api.upgrade(req, socket, head, () => socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${req.url} ${head}`));
  });
  const port = await listen(server);
  const lines = "Host: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
  for (const path of ["/other", "/api/other"]) {
    const { text } = await (await rawClient(port, `GET ${path} HTTP/1.1\r\n${lines}\r\nmore`)).over();
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 200 OK[^]*\r\n\r\n${path} more$`));
  }
  const { text } = await (await rawClient(port, `GET /api/ws HTTP/1.1\r\n${lines}\r\n`)).over();
  expect(text).toMatch(/^HTTP\/1\.1 400 [^]*bad_request/);
});
