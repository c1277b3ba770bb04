// The contenders, their setup and their claimed features, which are checked before the measurement.
//
// `balances`: spreads requests over all upstreams itself. `failover`: fails over when an upstream is down. `forwarded`: sends
// X-Forwarded-For. `tunnels`: WebSockets. `uploads`: request bodies. `http1`, `http2`: the protocol of its clients, HTTP/2 with
// prior knowledge.

import { has } from "../machine/commands.js";

/** The default baseline of all ratios. */
export const base = "undici";

const everything = ["balances", "failover", "forwarded", "tunnels", "uploads", "http1"];
const evenkeel =
  "routes by host and path, p2c, HTTP health checks, outlier detection, metrics, X-Forwarded-*; defaults otherwise";
const agent = "http.Agent with keepAlive, sockets without limit, 1,024 kept";
const pool = "undici pool of 1,024 connections, no pipelining";

export const contenders = [
  own("core", "Evenkeel under node:http", "evenkeel-core", `${evenkeel}; node:http server`),
  own("listen", "Evenkeel, own server", "evenkeel-listen", `${evenkeel}; createServer of evenkeel/server`),
  own("express", "Evenkeel Express", "evenkeel-express", `${evenkeel}; app.use`),
  own("fastify", "Evenkeel Fastify", "evenkeel-fastify", `${evenkeel}; app.register`),
  { name: "cli", title: "Evenkeel CLI", type: "cli", claims: everything, settings: `${evenkeel}; admin API on` },
  logged(
    "core",
    "Evenkeel under node:http, log",
    { module: "evenkeel-core" },
    "a `request` listener, JSON to /dev/null",
  ),
  logged("express", "Evenkeel Express, log", { module: "evenkeel-express" }, "the same listener"),
  logged("fastify", "Evenkeel Fastify, log", { module: "evenkeel-fastify" }, "the same listener"),
  logged("cli", "Evenkeel CLI, log", { type: "cli" }, "accessLog of format json to a file"),
  peer("undici", "bare undici relay", "undici-relay", ["uploads"], "dispatch of one pool to each upstream, by turns"),
  peer("wire", "bare wire relay", "wire-relay", [], "Evenkeel's own connections and nothing else, by turns"),
  peer(
    "net-wire",
    "bare net relay",
    "net-wire-relay",
    [],
    "node:net, no checks, in front of Evenkeel's own connections",
  ),
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
  ...nginx("nginx", "nginx", "proxy_buffering on, in memory alone", { buffering: true }),
  ...nginx("nginx-unbuffered", "nginx without buffering", "proxy_buffering off", { buffering: false }),
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
  ...(has("h2load") ? http2() : []),
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
  return { name, title, type: "node", module, claims: [...claims, "http1"], settings, options };
}

/** Contenders whose clients use HTTP/2. */
function http2() {
  const claims = ["http2"];
  const cli = { name: "cli-h2", title: "Evenkeel CLI, HTTP/2", type: "cli", h2c: true, claims };
  const relay = { name: "h2-wire", title: "bare node:http2 relay", type: "node", module: "http2-wire-relay", claims };
  return [
    { ...cli, settings: "as cli, h2c on" },
    { ...relay, settings: "node:http2's stream API in front of Evenkeel's own connections and nothing else, by turns" },
    ...nginx("nginx-h2", "nginx, HTTP/2", "http2 on; as it comes", { buffering: true, http2: true }, claims),
  ];
}

function proxied() {
  return ["forwarded", "tunnels", "uploads"];
}

function nginx(name, title, settings, options, claims = everything) {
  const all = `one worker, keep-alive to upstreams, X-Forwarded-*, max_fails, proxy_request_buffering off; ${settings}`;
  return has("nginx") ? [{ name, title, type: "nginx", ...options, claims, settings: all }] : [];
}
