// A TypeScript program that uses the main API of every package. It is compiled, never run.
import { createServer } from "node:http";
import { type Admin, createAdmin } from "@evenkeel/admin";
import { StandaloneServer } from "@evenkeel/cli";
import { ConfigError, type FileConfig, loadConfig, watchConfig } from "@evenkeel/config";
import { type EvenkeelMiddleware, evenkeel as middleware } from "@evenkeel/express";
import plugin, { evenkeel as sameAsPlugin } from "@evenkeel/fastify";
import {
  Balancer,
  createProxy,
  type ErrorCode,
  HealthChecker,
  OptionsError,
  outbound,
  type Policy,
  Pool,
  type Proxy,
  ProxyError,
  type ProxyOptions,
} from "evenkeel";
import { announceLoad } from "evenkeel/announce-load";
import { createServer as createProxyServer, type Server } from "evenkeel/server";
import { scriptedUpstream, startProxy, virtualClock } from "evenkeel/testing";
import express from "express";
import fastify from "fastify";

const heaviest: Policy = {
  name: "heaviest",
  pick: ({ candidates }) =>
    candidates.reduce((best, next) => (next.effectiveWeight > best.effectiveWeight ? next : best)),
};
const options: ProxyOptions = {
  pools: {
    api: { upstreams: ["http://127.0.0.1:1", { url: "http://127.0.0.1:2", weight: 3 }], balance: heaviest },
  },
  routes: [{ path: "/api", pool: "api", stripPrefix: true }],
};
export const proxy: Proxy = createProxy(options, {
  onRequest(context) {
    context.headers.set("X-User", "7");
  },
});
createServer(proxy.handler).on("upgrade", proxy.upgrade).on("clientError", proxy.clientError);
proxy.on("health", ({ pool, upstream }) => console.log(pool, upstream));
proxy.on("request", (event) => {
  const code: ErrorCode | undefined = event.error;
  console.log(code);
});

const pool = new Pool("api", { upstreams: ["http://127.0.0.1:1"] });
new HealthChecker(pool, { path: "/healthz" }).start();
new Balancer(pool, { policy: "least-requests" }).pick()?.id.toUpperCase();
pool.setWeight("127.0.0.1:1", 5);
const response: { readonly status: number } = await outbound(pool).fetch("/users/7");
console.log(response.status);
createServer(announceLoad());
const upstream = await scriptedUpstream(["ok", "refuse"]);
await (await startProxy({ upstreams: [upstream.url] }, { clock: virtualClock() })).close();

const server: Server = await proxy.listen("127.0.0.1:0", { limits: { headBytes: "8kb" } });
server.on("handshakeFailed", (reason) => console.log(reason, server.urls, server.status().connections.open));
await createProxyServer(proxy, { listen: ":0", h2c: true }).close({ timeout: "1s" });

export const admin: Admin = createAdmin(proxy, { token: "open-sesame" });

try {
  const config: FileConfig = loadConfig("config.toml");
  createProxy(config.options);
  watchConfig("config.toml", () => {});
} catch (error) {
  if (error instanceof ConfigError) console.log(error.mistakes.map(({ line, column }) => line + column));
  if (error instanceof OptionsError || error instanceof ProxyError) console.log(error.message);
}

const api: EvenkeelMiddleware = middleware({ config: "proxy.toml", prefix: "/api" });
express().use("/api", api);

const app = fastify();
await app.register(plugin, { prefix: "/api", config: "proxy.toml" });
await app.register(sameAsPlugin, { upstreams: ["http://127.0.0.1:1"] });
app.evenkeel.snapshot();

export const start: typeof StandaloneServer.start = StandaloneServer.start;
await proxy.close({ timeout: "5s" });
