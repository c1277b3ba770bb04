import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { findConnection } from "../../src/client/node/node-connection.ts";
import { underLoad } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { StrictClient } from "../support/raw-client.ts";
import { echo, type RawRequest, rawUpstream } from "../support/raw-upstream.ts";
import { refusingUrl } from "../support/refusing-port.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { leftovers, startProxy } from "../support/start-proxy.ts";
import { handshake, switching } from "../support/web-sockets.ts";

const lines = (...all: string[]) => `${all.join("\r\n")}\r\n\r\n`;
const get = (path: string, ...more: string[]) => lines(`GET ${path} HTTP/1.1`, "Host: h", ...more);
const put = (path: string, length: number, body: string) =>
  `${lines(`PUT ${path} HTTP/1.1`, "Host: h", `Content-Length: ${length}`)}${body}`;

/** What an upstream does, by the path that it is asked for. */
const behaviour: Readonly<Record<string, (request: RawRequest) => void>> = {
  "/reset": ({ socket }) => socket.resetAndDestroy(),
  "/end": ({ socket }) => void socket.end(),
  "/silent": () => {},
  "/invalid": ({ socket }) => void socket.write("HTTP/1.1 99 x\r\n\r\n"),
  "/broken": ({ socket }) => void socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
  "/cut": ({ socket }) => void socket.end("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
  "/slow": ({ socket }) => void socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
  "/hint": ({ socket }) => void socket.write("HTTP/1.1 103 Early Hints\r\n\r\n"),
  "/tunnel": ({ socket }) => void socket.write(switching()),
  "/switch": ({ socket }) => void socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
};

/** What a client may ask. */
const requests: readonly string[] = [
  get("/fine"),
  put("/fine", 4, "body"),
  lines("HEAD /fine HTTP/1.1", "Host: h", "Connection: close"),
  get("/fine", "Connection: close"),
  lines("GET /fine HTTP/1.0"),
  ...Object.keys(behaviour).flatMap((path) => [get(path), put(path, 4, "body")]),
  put("/fine", 100, "less"),
  put("/silent", 5_000_000, "more than may be"),
  // Refused before an upstream is asked.
  get("/fine", "Host: i"),
  get("/fine#x"),
  get("/elsewhere").replace("Host: h", "Host: elsewhere"),
  lines("TRACE / HTTP/1.1", "Host: h"),
  lines("OPTIONS * HTTP/1.1", "Host: h"),
  lines("PUT / HTTP/1.1", "Host: h", "Transfer-Encoding: gzip"),
  get("/fine", ...Array.from({ length: 200 }, () => "X: 1")),
  get("/").replace("Host: h", "Host: down"),
  get("/").replace("Host: h", "Host: none"),
  get("/fine").replace("Host: h", "Host: narrow"),
  get("/silent").replace("Host: h", "Host: narrow"),
  // Hooks.
  get("/fine", "X-Hook: throw"),
  get("/fine", "X-Hook: reject"),
  get("/fine", "X-Hook: answer"),
  get("/fine", "X-Hook: wait"),
  get("/hooked"),
  // Upgrades.
  handshake("/tunnel"),
  handshake("/silent"),
  handshake("/reset"),
  handshake("/fine"),
  handshake("/switch"),
  handshake("/tunnel", ["X-Hook: throw"]),
  handshake("/tunnel", ["X-Hook: answer"]),
  handshake("/").replace("Host: h", "Host: down"),
  handshake("/").replace("Version: 13", "Version: 8"),
  get("/fine", "Connection: Upgrade", "Upgrade: h2c"),
];

/** Never reach the proxy: they are no requests. */
const noise: readonly string[] = ["", "\x16\x03\x01", "GET", "GET / HTTP/1.1\r\nHost: h\r\nX", "GET / HTTP/9\r\n\r\n"];

/** How a client waits and leaves. */
const manners: readonly ((client: StrictClient, random: () => number) => unknown)[] = [
  (client) => answered(client, 150),
  (client) => client.when(() => client.received.length > 0, 150),
  (client) => client.when(() => client.text.includes("half"), 50),
  (_client, random) => new Promise((resolve) => void setTimeout(resolve, random() * 30)),
  () => {},
];
/** Resolves when an answer has come whole, or none will. */
function answered(client: StrictClient, patienceMs = 5_000): Promise<boolean> {
  return client.when(() => client.read([]).responses.some(({ complete }) => complete), patienceMs);
}

const farewells: readonly ((socket: Socket) => void)[] = [
  (socket) => socket.destroy(),
  (socket) => socket.resetAndDestroy(),
  (socket) => void socket.end(),
];

test.each([1, 2])("whatever happens, each request is told once and counted once: seed %s", async (seed) => {
  const random = seededRandom(seed);
  const one = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const upstream = await rawUpstream({ onRequest: (request) => (behaviour[request.path] ?? echo)(request) });
  const url = `http://127.0.0.1:${upstream.port}`;
  let accepted = 0;
  const started = await startProxy(
    {
      pools: {
        main: { upstreams: [url, await refusingUrl()], timeouts: { headers: "80ms", idle: "80ms", total: "200ms" } },
        down: { upstreams: [await refusingUrl()] },
        none: { upstreams: [] },
        narrow: {
          upstreams: [{ url, maxInFlight: 1 }],
          queue: { max: 1, timeout: "50ms" },
          timeouts: { headers: "80ms" },
        },
      },
      routes: [
        { host: "h", pool: "main", maxBodySize: "1mb" },
        ...["down", "none", "narrow"].map((name) => ({ host: name, pool: name })),
        { methods: ["HEAD", "GET"], host: "*.h", pool: "main" },
      ],
      requestBodyTimeout: "80ms",
    },
    {
      runtime: {
        random: seededRandom(seed),
        onRequest: ({ headers, respond }): void | Promise<void> => {
          const hook = headers.get("x-hook");
          if (hook === "throw") throw new Error("hook");
          if (hook === "reject") return Promise.reject(new Error("hook"));
          if (hook === "wait") return new Promise((resolve) => void setTimeout(resolve, 20));
          if (hook === "answer") respond({ status: 401 });
        },
        onResponse: ({ status, headers }) => {
          if (status === 200 && headers.get("content-length") === "7") throw new Error("hook");
        },
      },
      listener: (forward) => (req, res) => {
        // Behind the last answer of a connection nothing is a request any more.
        if (findConnection(req.socket)?.ending !== true) accepted++;
        forward(req, res);
      },
    },
  );
  const { proxy, server, port } = started;
  // Any other offer comes back as an ordinary request.
  server.prependListener("upgrade", ({ socket, headers }) => {
    if (findConnection(socket)?.ending !== true && headers.upgrade === "websocket") accepted++;
  });

  // Each of them to its end first, then whatever comes.
  await underLoad(requests.length + 450, 25, async (index) => {
    const client = await StrictClient.to(port);
    client.socket.write(requests[index] ?? (random() < 0.05 ? one(noise) : one(requests)), "latin1");
    await (index < requests.length ? answered(client) : one(manners)(client, random));
    // Another one on the same connection, whatever has become of it.
    if (random() < 0.3 && client.how === undefined) {
      client.socket.write(one(requests), "latin1");
      await one(manners)(client, random);
    }
    one(farewells)(client.socket);
  });
  const connections = () =>
    new Promise<number>((resolve) => {
      server.getConnections((_error, count) => resolve(count));
    });
  await until(async () => (await connections()) === 0);
  await until(() => leftovers(proxy).length === 0 && started.requests.length >= accepted);

  const { requests: counted } = proxy.snapshot();
  const told = started.requests;
  expect(told).toHaveLength(accepted);
  expect(counted.reduce((sum, { count }) => sum + count, 0)).toBe(accepted);
  expect(new Set(told.map(({ requestId }) => requestId)).size).toBe(accepted);
  const byStatus = (status: number) => told.filter((event) => event.status === status).length;
  for (const code of new Set(counted.map((row) => row.code))) {
    const rows = counted.filter((row) => row.code === code);
    expect([code, rows.reduce((sum, { count }) => sum + count, 0)]).toEqual([code, byStatus(code)]);
  }
  // The mix was one: every kind of end has happened.
  for (const status of [101, 200, 204, 400, 401, 404, 405, 413, 431, 499, 500, 501, 502, 503, 504]) {
    expect([status, byStatus(status) > 0]).toEqual([status, true]);
  }
});
