/** The table of failures, 7 to 11, 20 and 21: an upstream has begun to answer. See failure-table.test.ts. */

import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { until } from "../support/event-loop.ts";
import { get, observe, play, post, saying, startScene, urlOf, well } from "../support/failure-scene.ts";
import { StrictClient } from "../support/raw-client.ts";
import { rawUpstream, response } from "../support/raw-upstream.ts";
import { refusingUrl } from "../support/refusing-port.ts";
import { own } from "../support/scene-result.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { handshake } from "../support/web-sockets.ts";

describe("a body that breaks off", () => {
  // All in one packet: what is wrong is known before anything has been written to the client.
  const broken = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";

  test("7 before anything was passed on is 502; a GET is sent to another upstream, a POST is not", async () => {
    const [bad, good] = [await saying(broken), await well()];
    const alone = await play({ upstreams: [urlOf(bad)] });
    const code = "response_truncated";
    expect(alone).toMatchObject({ ...own, flags: ["retried"], client: [502, code], token: "http_response_incomplete" });
    expect(alone).toMatchObject({ logged: [502, code], attempts: Array(4).fill(`a ${code}`), blamed: ["a"] });
    const upstreams = [bad, good].map(urlOf);
    expect(await play({ upstreams })).toMatchObject({ client: [200], attempts: [`a ${code}`, "b 200"], blamed: ["a"] });
    expect(await play({ upstreams, request: post })).toMatchObject({ client: [502, code], attempts: [`a ${code}`] });
    expect(good.requests.map(({ method }) => method)).toEqual(["GET"]);
    await bad.until(() => bad.open === 0);
  });

  test.each<[string, string, (socket: Socket) => void]>([
    ["a length, by an end", "Content-Length: 10\r\n\r\nhalf", (socket) => void socket.end()],
    ["a length, by a reset", "Content-Length: 10\r\n\r\nhalf", (socket) => socket.resetAndDestroy()],
    ["chunks, by an end", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", (socket) => void socket.end()],
    [
      "chunks, by what is none",
      "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
      (socket) => void socket.write("zz\r\n"),
    ],
  ])("8 after some was passed on is cut off for the client too: %s", async (_name, rest, how) => {
    const [bad, good] = [
      await rawUpstream({ onRequest: ({ socket }) => void socket.write(`HTTP/1.1 200 OK\r\n${rest}`) }),
      await well(),
    ];
    const told = await play({
      upstreams: [bad, good].map(urlOf),
      meanwhile: async ({ client }) => {
        await client.when(() => client.text.includes("half"), 5_000);
        for (const socket of bad.sockets) how(socket);
      },
    });
    expect(told).toMatchObject({ client: [200], answer: "cut", connection: "closed", flags: ["truncated"] });
    expect(told).toMatchObject({
      logged: [200, "response_truncated"],
      attempts: ["a response_truncated"],
      blamed: ["a"],
    });
    expect(good.requests).toEqual([]);
    await bad.until(() => bad.open === 0);
  });

  test("9 by falling silent is cut off too, and sent to nobody else", async () => {
    const [bad, good] = [await saying("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), await well()];
    const settings = { timeouts: { idle: "60ms" }, retry: { on: ["timeout", "reset"] } } as const;
    const told = await play({ upstreams: [bad, good].map(urlOf), settings });
    const code = "response_idle_timeout";
    expect(told).toMatchObject({ client: [200], answer: "cut", connection: "closed", flags: ["truncated"] });
    expect(told).toMatchObject({ logged: [200, code], attempts: [`a ${code}`], blamed: ["a"] });
    expect(good.requests).toEqual([]);
    await bad.until(() => bad.open === 0);
  });
});

test("10 an answer before the body was read is passed on, and neither connection is used again", async () => {
  const upstream = await rawUpstream({
    onHead: ({ socket }) => void socket.write(response("no", { status: "403 No" })),
  });
  const request = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nsome";
  const told = await play({ upstreams: [urlOf(upstream)], request });
  expect(told).toMatchObject({ client: [403], answer: "whole", connection: "closed", flags: ["early"], blamed: [] });
  expect(told).toMatchObject({ logged: [403], attempts: ["a 403"] });
  await upstream.until(() => upstream.open === 0);
});

test("11 an error that the upstream answers is passed on, and both connections are used again", async () => {
  const clock = new VirtualClock();
  const upstream = await rawUpstream({
    onRequest: ({ socket }) => void socket.write(response("busy", { status: "503 Busy", headers: ["Retry-After: 9"] })),
  });
  const started = await startScene({ upstreams: [urlOf(upstream), urlOf(await well())], runtime: { clock } });
  const client = await StrictClient.to(started.port);
  client.socket.write(post);
  const told = await observe(started, client, "POST");
  expect(told).toMatchObject({ client: [503], token: undefined, answer: "whole", connection: "kept", flags: [] });
  expect(told).toMatchObject({ logged: [503], attempts: ["a 503"], outcomes: ["a success"], blamed: [] });
  clock.advance(10);
  const pool = started.proxy.pools.get("default");
  pool?.setState("b", "draining");
  const next = await StrictClient.to(started.port);
  next.socket.write(get);
  await until(() => upstream.requests.length === 2);
  expect(upstream.sockets).toHaveLength(1);
  next.socket.destroy();
});

describe("20 an upgrade that is refused", () => {
  test("is answered with the upstream's words, and the connections end", async () => {
    const upstream = await saying(response("no", { status: "403 No" }));
    const told = await play({ upstreams: [urlOf(upstream)], request: handshake() });
    expect(told).toMatchObject({ client: [403], answer: "whole", connection: "closed", flags: [], blamed: [] });
    expect(told).toMatchObject({ logged: [403], attempts: ["a 403"] });
    await upstream.until(() => upstream.open === 0);
  });

  test("or meets with silence, or with nobody, fares like any request", async () => {
    const [dead, refusing] = [await rawUpstream({ onRequest: ({ socket }) => socket.destroy() }), await refusingUrl()];
    const told = await play({ upstreams: [refusing, urlOf(dead)], request: handshake() });
    expect(told).toMatchObject({ client: [502, "reset"], connection: "closed", blamed: ["a", "b"] });
    expect(told.logged).toEqual([502, "reset"]);
    // One attempt and three retries, each of which is used up where the request arrives.
    expect(told.attempts.filter((attempt) => attempt === "b reset")).toHaveLength(4);
    expect(new Set(told.attempts)).toEqual(new Set(["a connect_refused", "b reset"]));
  });
});

describe("21 a switch of protocols that cannot be right is 502", () => {
  const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n";

  test.each<[string, string, string, string]>([
    ["that nobody asked for", get, `${switching}Upgrade: websocket\r\n\r\n`, "invalid_response"],
    ["to another protocol", handshake(), `${switching}Upgrade: h2c\r\n\r\n`, "upgrade_failed"],
    ["without an accept", handshake(), `${switching}Upgrade: websocket\r\n\r\n`, "upgrade_failed"],
    [
      "with another key's accept",
      handshake(),
      `${switching}Upgrade: websocket\r\nSec-WebSocket-Accept: AAAA\r\n\r\n`,
      "upgrade_failed",
    ],
  ])("%s", async (_name, request, bytes, code) => {
    const [bad, good] = [await saying(bytes), await well()];
    const told = await play({ upstreams: [bad, good].map(urlOf), request });
    expect(told).toMatchObject({ client: [502, code], answer: "whole", logged: [502, code], flags: [] });
    expect(told).toMatchObject({ attempts: [`a ${code}`], blamed: ["a"] });
    expect(good.requests).toEqual([]);
    await bad.until(() => bad.open === 0);
  });
});
