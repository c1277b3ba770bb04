/** The table of failures, 12 to 19, 22 and 25: what clients, operators and this proxy do. See failure-table.test.ts. */

import fs from "node:fs";
import net from "node:net";
import { describe, expect, type MockInstance, onTestFinished, test, vi } from "vitest";
import { ask } from "../support/exchanges.ts";
import { get, observe, own, play, post, type Scene, startScene, urlOf, well } from "../support/failure-scene.ts";
import { StrictClient } from "../support/raw-client.ts";
import { rawUpstream, response } from "../support/raw-upstream.ts";
import { nextEvent, onlyPool } from "../support/start-proxy.ts";
import { handshake, switching } from "../support/web-sockets.ts";

describe("12 a client that leaves is 499 in the log, and nobody's failure", () => {
  const half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
  const upload = "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf";

  test.each<[string, string, string, 0 | 200]>([
    ["before the headers", get, "", 0],
    ["within the answer", get, half, 200],
    ["within its own body", upload, "", 0],
  ])("%s", async (_name, request, bytes, status) => {
    const [upstream, other] = [await rawUpstream({ onHead: ({ socket }) => void socket.write(bytes) }), await well()];
    const told = await play({
      upstreams: [upstream, other].map(urlOf),
      request,
      meanwhile: async ({ client }) => {
        await upstream.until(() => upstream.sockets.length === 1 && (upstream.sockets[0]?.bytesRead ?? 0) > 0);
        await client.when(() => client.text.endsWith(bytes.slice(-4)), 5_000);
        client.socket.resetAndDestroy();
      },
    });
    expect(told).toMatchObject({ client: [status], logged: [499, "client_aborted"], flags: [], blamed: [] });
    expect(told).toMatchObject({ attempts: ["a client_aborted"], outcomes: ["a aborted"] });
    expect(other.sockets).toEqual([]);
    await upstream.until(() => upstream.open === 0);
  });
});

test("13 a body that stops coming is 408 and the end of the connection", async () => {
  const upstream = await rawUpstream({});
  const request = "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nsome";
  const told = await play({ upstreams: [urlOf(upstream)], request, settings: { requestBodyTimeout: "60ms" } });
  expect(told).toMatchObject({ client: [408, "request_timeout"], token: "http_request_error", connection: "closed" });
  expect(told).toMatchObject({ logged: [408, "request_timeout"], outcomes: ["a aborted"], blamed: [] });
  await upstream.until(() => upstream.open === 0);
});

describe("14, 15 and 16 a request that is not forwarded never reaches an upstream", () => {
  const head = (...lines: string[]) => `${["GET / HTTP/1.1", "Host: h", ...lines].join("\r\n")}\r\n\r\n`;

  test.each<[string, string, number, string, string]>([
    ["malformed", head("Host: i"), 400, "bad_request", "http_request_error"],
    [
      "too many headers",
      head(...Array.from({ length: 200 }, () => "X: 1")),
      431,
      "headers_too_large",
      "http_request_error",
    ],
    ["a body over the limit", post.replace("4", "5000"), 413, "body_too_large", "http_request_error"],
    ["a strange coding", head("Transfer-Encoding: gzip"), 501, "not_implemented", "http_request_error"],
    ["TRACE", "TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 405, "method_not_allowed", "http_request_denied"],
  ])("%s closes the connection", async (_name, request, status, code, token) => {
    const upstream = await well();
    const told = await play({ upstreams: [], request, options: limited(upstream.port) });
    expect(told).toMatchObject({ client: [status, code], token, answer: "whole", connection: "closed", attempts: [] });
    expect(told).toMatchObject({ logged: [status, code], outcomes: [], blamed: [] });
    expect(upstream.sockets).toEqual([]);
  });

  test("without a route keeps it", async () => {
    const upstream = await well();
    const request = get.replace("h\r", "elsewhere\r");
    const told = await play({ upstreams: [], request, options: limited(upstream.port) });
    expect(told).toMatchObject({ ...own, client: [404, "no_route"], token: "destination_not_found", attempts: [] });
    expect(told.logged).toEqual([404, "no_route"]);
    expect(upstream.sockets).toEqual([]);
  });

  test("a body that turns out to be over the limit is 413 too, and closes both connections", async () => {
    const upstream = await rawUpstream({});
    const request = `POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n${"x".repeat(1_024)}\r\n1\r\n`;
    const told = await play({
      upstreams: [],
      request,
      options: limited(upstream.port),
      meanwhile: async ({ client }) => {
        await upstream.until(() => upstream.sockets.length === 1);
        client.socket.write("x\r\n");
      },
    });
    expect(told).toMatchObject({ client: [413, "body_too_large"], answer: "whole", connection: "closed" });
    expect(told).toMatchObject({ logged: [413, "body_too_large"], outcomes: ["a aborted"], blamed: [] });
    await upstream.until(() => upstream.open === 0);
  });

  function limited(port: number) {
    const upstreams = [{ id: "a", url: `http://127.0.0.1:${port}` }];
    return { pools: { p: { upstreams } }, routes: [{ host: "h", pool: "p", maxBodySize: "1kb" }] } as const;
  }
});

describe("17 no room is 503 with Retry-After, without a dial, and keeps the connection", () => {
  test.each<[string, Scene["settings"], string]>([
    ["nothing available", { panic: "fail" }, "none_available"],
    ["a queue that is full", { queue: { max: 0 } }, "queue_full"],
    ["a wait that is too long", { queue: { timeout: "60ms" } }, "queue_timeout"],
  ])("%s", async (_name, settings, code) => {
    const upstream = await well();
    const upstreams = [{ id: "a", url: urlOf(upstream), maxInFlight: 1 }];
    const started = await startScene({ upstreams: [], options: { upstreams, ...settings } });
    const pool = onlyPool(started.proxy);
    if (code === "none_available") pool.setState("a", "disabled");
    const [member] = pool.upstreams;
    const before = pool.begin(member as NonNullable<typeof member>);
    const client = await StrictClient.to(started.port);
    client.socket.write(post);
    await client.when(() => client.read(["POST"]).responses.length === 1, 5_000);
    before.settle("aborted");
    const told = await observe(started, client, "POST");
    expect(told).toMatchObject({ ...own, flags: code === "queue_timeout" ? ["queued"] : [], retryAfter: true });
    expect(told).toMatchObject({ client: [503, code], logged: [503, code], attempts: [], blamed: [] });
    expect(upstream.sockets).toEqual([]);
  });

  test("a limit of connections that nobody frees in time", async () => {
    const upstream = await rawUpstream({});
    const settings = { connections: { max: 1 }, timeouts: { connect: "60ms" } } as const;
    const started = await startScene({ upstreams: [urlOf(upstream)], settings });
    const pool = onlyPool(started.proxy);
    const [member] = pool.upstreams;
    const before = ask(pool.transport(member as NonNullable<typeof member>), "/before");
    await upstream.until(() => upstream.requests.length === 1);
    const client = await StrictClient.to(started.port);
    client.socket.write(post);
    const told = await observe(started, client, "POST");
    expect(told).toMatchObject({ ...own, client: [503, "queue_timeout"], retryAfter: true, blamed: [] });
    expect(told).toMatchObject({ attempts: ["a queue_timeout"], token: "connection_limit_reached" });
    expect(upstream.sockets).toHaveLength(1);
    before.exchange.abort();
  });
});

describe("18 no file descriptors are 503, asked of nobody else and nobody's failure, until there are some", () => {
  const emfile = Object.assign(new Error("EMFILE"), { code: "EMFILE" });

  test.each<[string, string, () => MockInstance]>([
    [
      "for a socket",
      "127.0.0.1",
      () => vi.spyOn(net, "connect").mockImplementation(() => new net.Socket().destroy(emfile)),
    ],
    [
      // The resolver of a process without descriptors says that there is no such name.
      "for looking a name up",
      "nobody.invalid",
      () =>
        vi.spyOn(fs, "openSync").mockImplementation(() => {
          throw emfile;
        }),
    ],
  ])("%s", async (_name, hostname, exhaust) => {
    const other = await well();
    const started = await startScene({ upstreams: [`http://${hostname}:${(await well()).port}`, urlOf(other)] });
    const exhausted = exhaust();
    onTestFinished(() => exhausted.mockRestore());
    const client = await StrictClient.to(started.port);
    client.socket.write(get);
    const told = await observe(started, client);
    expect(told).toMatchObject({ ...own, client: [503, "no_file_descriptors"], retryAfter: true, blamed: [] });
    expect(told).toMatchObject({ logged: [503, "no_file_descriptors"], attempts: ["a no_file_descriptors"] });
    expect(other.sockets).toEqual([]);
    exhausted.mockRestore();
    const next = await StrictClient.to(started.port);
    next.socket.write(get);
    await next.when(() => next.read([]).responses.length === 1, 5_000);
    expect(next.read([]).responses[0]?.status).toBe(200);
    next.socket.destroy();
  });
});

describe("19 a hook that throws", () => {
  const fail = () => {
    throw new Error("hook");
  };

  test("before the request is 500, and nothing is sent", async () => {
    const upstream = await well();
    const told = await play({ upstreams: [urlOf(upstream)], request: post, runtime: { onRequest: fail } });
    expect(told).toMatchObject({ ...own, client: [500, "request_hook_failed"], token: "proxy_internal_error" });
    expect(told).toMatchObject({ logged: [500, "request_hook_failed"], attempts: [], blamed: [] });
    expect(upstream.sockets).toEqual([]);
  });

  test("before the answer is 502, asked of nobody else, and the upstream's connection ends", async () => {
    const upstream = await rawUpstream({
      onRequest: ({ socket }) => void socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
    });
    const other = await well();
    const told = await play({ upstreams: [upstream, other].map(urlOf), runtime: { onResponse: fail } });
    expect(told).toMatchObject({ ...own, client: [502, "response_hook_failed"], token: "proxy_internal_error" });
    expect(told).toMatchObject({ logged: [502, "response_hook_failed"], attempts: ["a 200"], blamed: [] });
    expect(other.sockets).toEqual([]);
    await upstream.until(() => upstream.open === 0);
  });
});

test.each(["the client", "the upstream"])("22 a tunnel that %s leaves ends on both sides", async (side) => {
  const upstream = await rawUpstream({ onRequest: ({ socket }) => void socket.write(switching()) });
  const told = await play({
    upstreams: [urlOf(upstream)],
    request: handshake(),
    meanwhile: async ({ client, started }) => {
      await client.when(() => client.text.endsWith("\r\n\r\n"), 5_000);
      expect(onlyPool(started.proxy).tunnels).toBe(1);
      const leaving = side === "the client" ? client.socket : upstream.sockets[0];
      leaving?.resetAndDestroy();
      await upstream.until(() => upstream.open === 0);
    },
  });
  expect(told).toMatchObject({ client: [101], connection: "closed", logged: [101], flags: [], blamed: [] });
  expect(told).toMatchObject({ attempts: ["a 101"], outcomes: ["a success"] });
});

test("25 a reload leaves a request on its way alone, and lets its upstream go when it has its answer", async () => {
  const [leaving, staying] = [await rawUpstream({}), await well()];
  const told = await play({
    upstreams: [urlOf(leaving)],
    meanwhile: async ({ started: { proxy } }) => {
      await leaving.until(() => leaving.requests.length === 1);
      const drained = nextEvent(proxy, "member", ({ change }) => change === "drained");
      proxy.reload({ upstreams: [{ id: "b", url: urlOf(staying) }] });
      expect(onlyPool(proxy).upstreams.map(({ id }) => id)).toEqual(["b"]);
      leaving.sockets[0]?.write(response("done"));
      expect(await drained).toMatchObject({ upstream: "a" });
    },
  });
  expect(told).toMatchObject({
    client: [200],
    answer: "whole",
    connection: "kept",
    logged: [200],
    attempts: ["a 200"],
  });
  await leaving.until(() => leaving.open === 0);
  expect(staying.sockets).toEqual([]);
});
