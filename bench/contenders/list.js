// The contenders, their setup and their claimed features, which are checked before the measurement.
//
// `balances`: spreads requests over all upstreams itself. `failover`: fails over when an upstream is down. `forwarded`: sends
// X-Forwarded-For. `tunnels`: WebSockets. `uploads`: request bodies.

import { has } from "../machine/commands.js";

/** The default baseline of all ratios. */
export const base = "undici";

const everything = ["balances", "failover", "forwarded", "tunnels", "uploads"];
const evenkeel =
  "routes by host and path, p2c, HTTP health checks, outlier detection, metrics, X-Forwarded-*; defaults otherwise";
const agent = "http.Agent with keepAlive, sockets without limit, 1,024 kept";
const pool = "undici pool of 1,024 connections, no pipelining";

export const contenders = [
  own("core", "Evenkeel core", "evenkeel-core", `${evenkeel}; node:http server`),
  own("express", "Evenkeel Express", "evenkeel-express", `${evenkeel}; app.use`),
  own("fastify", "Evenkeel Fastify", "evenkeel-fastify", `${evenkeel}; app.register`),
  { name: "cli", title: "Evenkeel CLI", type: "cli", claims: everything, settings: `${evenkeel}; admin API on` },
  logged("core", "Evenkeel core, log", { module: "evenkeel-core" }, "a `request` listener, JSON to /dev/null"),
  logged("express", "Evenkeel Express, log", { module: "evenkeel-express" }, "the same listener"),
  logged("fastify", "Evenkeel Fastify, log", { module: "evenkeel-fastify" }, "the same listener"),
  logged("cli", "Evenkeel CLI, log", { type: "cli" }, "accessLog of format json to a file"),
  peer("undici", "bare undici relay", "undici-relay", ["uploads"], "dispatch of one pool to each upstream, by turns"),
  peer("wire", "bare wire relay", "wire-relay", [], "Evenkeel's own connections and nothing else, by turns"),
  peer("http-proxy-agent", "http-proxy, keep-alive", "http-proxy", proxied(), `${agent}; xfwd; targets by turns`, {
    keepAlive: true,
  }),
  peer("http-proxy", "http-proxy as it comes", "http-proxy", ["tunnels", "uploads"], "a target and nothing else"),
  peer("httpxy", "httpxy", "httpxy", proxied(), `${agent}; xfwd; targets by turns`),
  peer("hpm", "http-proxy-middleware, Express", "http-proxy-middleware", proxied(), `${agent}; xfwd; router by turns`),
  peer(
    "fastify-http-proxy",
    "@fastify/http-proxy",
    "fastify-http-proxy",
    ["tunnels", "uploads"],
    `${pool}, one upstream: choosing another for each request costs it more; logger off`,
  ),
  peer("fast-proxy", "fast-proxy over undici", "fast-proxy", ["uploads"], `${pool} to each upstream, by turns`),
  ...nginx("nginx", "nginx", "proxy_buffering on, in memory alone", true),
  ...nginx("nginx-unbuffered", "nginx without buffering", "proxy_buffering off", false),
  ...(has("haproxy")
    ? [
        {
          name: "haproxy",
          title: "HAProxy",
          type: "haproxy",
          claims: everything,
          settings: "one thread, http-reuse always, health checks, observe layer7, forwardfor, redispatch",
        },
      ]
    : []),
];

/** No proxy: the cost of the load, the backends and the machine alone. */
export const direct = {
  name: "direct",
  title: "no proxy",
  type: "direct",
  claims: [],
  settings: "straight to one backend",
};

function own(name, title, module, settings) {
  return { name, title, type: "node", module, claims: everything, settings };
}

function logged(name, title, how, settings) {
  const settled = `as ${name}, with an access log: ${settings}`;
  return { name: `${name}-log`, title, type: "node", ...how, log: true, claims: everything, settings: settled };
}

function peer(name, title, module, claims, settings, options) {
  return { name, title, type: "node", module, claims, settings, options };
}

function proxied() {
  return ["forwarded", "tunnels", "uploads"];
}

function nginx(name, title, settings, buffering) {
  const all = `one worker, keep-alive to upstreams, X-Forwarded-*, max_fails, proxy_request_buffering off; ${settings}`;
  return has("nginx") ? [{ name, title, type: "nginx", buffering, claims: everything, settings: all }] : [];
}
