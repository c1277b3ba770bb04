import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { evenkeel } from "@evenkeel/express";
import express, { type RequestHandler } from "express";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { closeServer, startUpstream } from "../packages/core/test/support/adapter-lab.ts";
import { rawClient } from "../packages/core/test/support/client.ts";
import { start } from "./guarded-path/main.ts";

/** There are servers that resolve each of these to /admin. */
const spellings = [
  "//admin",
  "/%61dmin",
  "/x/../admin",
  "/./admin",
  "/x/%2e%2e/admin",
  "/x/..%2fadmin",
  "/x/..%5cadmin",
  "/\\admin",
  "/admin;x",
  "/admin%2fusers",
  "/%2561dmin",
  "/admin%00",
];
const credentials = "Authorization: Bearer open sesame\r\n";

/** The first line of the response, and the path that the upstream got, if any. */
async function get(port: number, path: string, headers = ""): Promise<{ status: number; seen: string | undefined }> {
  const client = await rawClient(port, `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}Connection: close\r\n\r\n`);
  const { text } = await client.over();
  return { status: Number(text.split(" ")[1]), seen: /"url":"([^"]*)"/.exec(text)?.[1]?.replaceAll("\\\\", "\\") };
}

describe("a guard in front of a proxy that forwards everything", () => {
  let upstream: string;
  let stop: () => Promise<unknown>;
  beforeEach(async () => {
    upstream = (await startUpstream("upstream")).url;
  });
  afterEach(() => stop());

  async function serveGuarded(): Promise<number> {
    const { port, server, api } = await start(upstream, 0);
    stop = async () => {
      await api.close({ timeout: "0s" });
      await closeServer(server);
    };
    return port;
  }

  test("does not protect when it is middleware on a path: every other spelling passes, as docs/security.md says", async () => {
    const guard: RequestHandler = (_req, res) => void res.status(401).end();
    const api = evenkeel({ upstreams: [upstream] });
    const server: Server = createServer(express().use("/admin", guard).use(api)).listen(0, "127.0.0.1");
    stop = async () => {
      await api.close({ timeout: "0s" });
      await closeServer(server);
    };
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    expect((await get(port, "/admin")).status).toBe(401);
    for (const path of spellings) expect(await get(port, path)).toEqual({ status: 200, seen: path });
  });

  test("protects in a hook that rejects ambiguous paths", async () => {
    const port = await serveGuarded();
    for (const path of ["/admin", "/admin/users", "/ADMIN", "/admin?x=//", "/admin/"]) {
      expect([path, await get(port, path)]).toEqual([path, { status: 401, seen: undefined }]);
      expect([path, await get(port, path, credentials)]).toEqual([path, { status: 200, seen: path }]);
    }
    for (const path of spellings) {
      expect([path, await get(port, path, credentials)]).toEqual([path, { status: 400, seen: undefined }]);
    }
  });

  test("forwards unambiguous paths byte for byte", async () => {
    const port = await serveGuarded();
    for (const path of [
      "/",
      "/administer",
      "/a%20b/caf%C3%A9",
      "/a.b/...",
      "/x?y=//%2e;",
      "/a+b,c=(d)!",
      "/%7B%7D%22",
    ]) {
      expect(await get(port, path)).toEqual({ status: 200, seen: path });
    }
  });

  test("protects handshakes", async () => {
    const port = await serveGuarded();
    const handshake = (path: string) =>
      `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${"A".repeat(22)}==\r\n\r\n`;
    for (const [path, status] of [
      ["/admin", 401],
      ["//admin", 400],
    ] as const) {
      const { text } = await (await rawClient(port, handshake(path))).over();
      expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    }
  });
});
