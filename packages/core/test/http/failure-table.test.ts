/**
 * The table of failures, 1 to 6: an upstream gives no answer, or none that can be right. What the client sees, what the log
 * says, what is tried again, whom it counts against, and what becomes of the connections on both sides. Each row has
 * exactly one request event and one count: `observe` checks it.
 *
 * 7 to 11, 20 and 21 are in failure-table-answers.test.ts, 12 to 19, 22 and 25 in failure-table-own.test.ts. The files of these
 * names in test/forward have the rows that need no socket: 11 in part, 12 to 16, 17 in part, 19 and 25. 23 and 24 are the
 * command's, in packages/cli/test: start-failures, reload and shutdown.
 */

import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { cert, key } from "../support/certificates.ts";
import { get, observe, play, post, saying, startScene, urlOf, well } from "../support/failure-scene.ts";
import { StrictClient } from "../support/raw-client.ts";
import { echo, rawUpstream } from "../support/raw-upstream.ts";
import { refusingUrl } from "../support/refusing-port.ts";
import { own } from "../support/scene-result.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

describe("1 an upstream that cannot be reached is 502, and any method moves on", () => {
  const stranger = () => rawUpstream({ tls: { cert, key } });

  test.each<[string, () => Promise<string>, string, string]>([
    ["refused", refusingUrl, "connect_refused", "connection_refused"],
    ["a name that nobody has", async () => "http://nobody.invalid", "dns_failed", "dns_error"],
    ["no route", async () => "http+unix:///nowhere/app.sock", "connect_failed", "destination_ip_unroutable"],
    [
      "unknown authority",
      async () => `https://127.0.0.1:${(await stranger()).port}`,
      "tls_failed",
      "tls_protocol_error",
    ],
    [
      "no TLS at all",
      async () =>
        `https://127.0.0.1:${(await rawUpstream({ onConnection: (socket) => void socket.end("no\n") })).port}`,
      "tls_failed",
      "tls_protocol_error",
    ],
  ])("%s", async (_name, urlOfBad, code, token) => {
    const bad = await urlOfBad();
    const alone = await play({ upstreams: [bad] });
    expect(alone).toEqual({
      ...own,
      client: [502, code],
      token,
      logged: [502, code],
      attempts: [`a ${code}`],
      blamed: ["a"],
      outcomes: [`a ${code}`],
    });

    const good = await well();
    const moved = await play({ upstreams: [bad, urlOf(good)], request: post, settings: { retry: { attempts: 0 } } });
    expect(moved).toMatchObject({ client: [200], logged: [200], flags: ["retried"], connection: "kept" });
    expect(moved).toMatchObject({ attempts: [`a ${code}`, "b 200"], blamed: ["a"] });
    expect(good.requests.map(({ body }) => `${body}`)).toEqual(["once"]);
  });
});

test("2 a connection that does not come about in time is 504, and any method moves on", async () => {
  const deaf = await rawUpstream({});
  const url = `https://127.0.0.1:${deaf.port}`;
  const settings = { timeouts: { connect: "60ms" } } as const;
  const alone = await play({ upstreams: [url], request: post, settings });
  expect(alone).toMatchObject({ ...own, client: [504, "connect_timeout"], token: "connection_timeout" });
  expect(alone).toMatchObject({ logged: [504, "connect_timeout"], attempts: ["a connect_timeout"], blamed: ["a"] });
  await deaf.until(() => deaf.open === 0);

  const moved = await play({ upstreams: [url, urlOf(await well())], request: post, settings });
  expect(moved).toMatchObject({ client: [200], attempts: ["a connect_timeout", "b 200"], blamed: ["a"] });
});

describe("3 a reused connection that is reset before the headers is nobody's failure", () => {
  /** A request on a connection that has served another one and dies of this one. */
  async function onStale(request: string, upstreams = 1) {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({
      onRequest: (asked) =>
        asked.connection === 0 && asked.index === 1 ? asked.socket.resetAndDestroy() : echo(asked),
    });
    const others = await Promise.all(Array.from({ length: upstreams - 1 }, well));
    const started = await startScene({ upstreams: [upstream, ...others].map(urlOf), runtime: { clock } });
    const warm = await StrictClient.to(started.port);
    warm.socket.write("OPTIONS / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    await warm.when(() => warm.how !== undefined, 5_000);
    await started.finished(1);
    started.requests.length = 0;
    clock.advance(10);
    const client = await StrictClient.to(started.port);
    client.socket.write(request);
    return { told: await observe(started, client, request.split(" ")[0]), upstream, others };
  }

  test("a GET is sent again, once, on a fresh connection to the same upstream", async () => {
    const { told, upstream } = await onStale(get);
    expect(told).toMatchObject({
      client: [200],
      answer: "whole",
      connection: "kept",
      logged: [200],
      flags: ["retried"],
    });
    expect(told).toMatchObject({ attempts: ["a reset", "a 200"], blamed: [], outcomes: ["a success", "a stale"] });
    expect(upstream.requests.map(({ connection, index }) => [connection, index])).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
    ]);
    await upstream.until(() => upstream.sockets[0]?.destroyed === true);
  });

  test("a POST is not, here or elsewhere: it may have been executed", async () => {
    const { told, upstream } = await onStale(post);
    expect(told).toMatchObject({ ...own, client: [502, "reset"], token: "connection_terminated", blamed: [] });
    expect(told).toMatchObject({ logged: [502, "reset"], attempts: ["a reset"], outcomes: ["a success", "a stale"] });
    expect(upstream.requests).toHaveLength(2);
    await upstream.until(() => upstream.open === 0);
  });
});

describe("4 a fresh connection that ends before the headers is 502", () => {
  test.each<[string, (socket: Socket) => void]>([
    ["a reset", (socket) => socket.resetAndDestroy()],
    ["an end", (socket) => void socket.end()],
    ["an end within the head", (socket) => void socket.end("HTTP/1.1 200 OK\r\nX-A: 1\r\n")],
  ])("by %s; a GET is sent to another upstream, a POST is not", async (_name, end) => {
    const bad = await rawUpstream({ onRequest: ({ socket }) => end(socket) });
    const good = await well();
    const alone = await play({ upstreams: [urlOf(bad)] });
    expect(alone).toMatchObject({ ...own, flags: ["retried"], client: [502, "reset"], token: "connection_terminated" });
    expect(alone).toMatchObject({ logged: [502, "reset"], attempts: Array(4).fill("a reset"), blamed: ["a"] });

    const upstreams = [bad, good].map(urlOf);
    expect(await play({ upstreams })).toMatchObject({ client: [200], attempts: ["a reset", "b 200"], blamed: ["a"] });
    const once = await play({ upstreams, request: post });
    expect(once).toMatchObject({ ...own, client: [502, "reset"], attempts: ["a reset"], blamed: ["a"] });
    expect(good.requests.map(({ method }) => method)).toEqual(["GET"]);
    await bad.until(() => bad.open === 0);
  });
});

test("5 headers that do not come in time are 504, and are asked for again only where the options say so", async () => {
  const [silent, good] = [await rawUpstream({}), await well()];
  const upstreams = [silent, good].map(urlOf);
  const timeouts = { headers: "60ms" } as const;
  const told = await play({ upstreams, settings: { timeouts } });
  expect(told).toMatchObject({ ...own, client: [504, "headers_timeout"], token: "http_response_timeout" });
  expect(told).toMatchObject({ logged: [504, "headers_timeout"], attempts: ["a headers_timeout"], blamed: ["a"] });
  await silent.until(() => silent.open === 0);

  const eager = { timeouts, retry: { on: ["timeout"] } } as const;
  expect(await play({ upstreams, settings: eager })).toMatchObject({ attempts: ["a headers_timeout", "b 200"] });
  expect(await play({ upstreams, settings: eager, request: post })).toMatchObject({
    client: [504, "headers_timeout"],
    attempts: ["a headers_timeout"],
  });
});

describe("6 a response that cannot be right is 502, and asked of nobody else", () => {
  const large = "response_headers_too_large";

  test.each<[string, string, string, string]>([
    ["framing", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "invalid_response", ""],
    ["a status line", "HTTP/1.1 abc x\r\n\r\n", "invalid_response", ""],
    ["header bytes", "HTTP/1.1 200 OK\r\nX-A: \x01\r\n\r\n", "invalid_response", ""],
    ["more than 32 informational ones", "HTTP/1.1 103 Early\r\n\r\n".repeat(33), "invalid_response", ""],
    ["headers too large", `HTTP/1.1 200 OK\r\nX-A: ${"a".repeat(20_000)}\r\n\r\n`, large, large],
    ["too many headers", `HTTP/1.1 200 OK\r\n${"X-A: 1\r\n".repeat(201)}\r\n`, large, large],
  ])("%s", async (_name, bytes, code, known) => {
    const [bad, good] = [await saying(bytes), await well()];
    const told = await play({ upstreams: [bad, good].map(urlOf), settings: { retry: { attempts: 5 } } });
    const token = known === "" ? "http_protocol_error" : "http_response_header_section_size";
    expect(told).toMatchObject({ ...own, client: [502, code], token, logged: [502, code] });
    expect(told).toMatchObject({ attempts: [`a ${code}`], blamed: ["a"] });
    expect(good.requests).toEqual([]);
    await bad.until(() => bad.open === 0);
  });
});
