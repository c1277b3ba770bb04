/** NTLM and Negotiate authenticate a connection (RFC 4559 section 6): no other client may be served over it. */

import type { Agent } from "node:http";
import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import { fetchFrom, keepAlive, rawClient } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { onlyPool, startProxy } from "../support/start-proxy.ts";
import { startUpstream } from "../support/start-upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

/** An upstream that takes three legs to learn who a connection belongs to, as IIS does. */
async function startNtlm(name: string, scheme = "NTLM") {
  const users = new WeakMap<Socket, string>();
  const challenged = new WeakSet<Socket>();
  const upstream = await startUpstream(name, (req, res) => {
    const [, leg, user] = /^\w+ (TYPE1|TYPE3)-?(\w*)$/.exec(req.headers.authorization ?? "") ?? [];
    if (leg === "TYPE3" && challenged.has(req.socket)) users.set(req.socket, user ?? "");
    if (users.has(req.socket)) return void res.end(`${name}: ${users.get(req.socket)}`);
    if (leg === "TYPE1") challenged.add(req.socket);
    const challenge = leg === "TYPE1" ? `${scheme} TYPE2` : scheme;
    res.writeHead(401, { "WWW-Authenticate": ["Basic realm=x", challenge] }).end("who are you?");
  });
  upstream.server.keepAliveTimeout = 0;
  return upstream;
}

const authenticate = async (url: string, agent: Agent, user: string, scheme = "NTLM") => {
  const statuses: number[] = [];
  let text = "";
  for (const authorization of [undefined, `${scheme} TYPE1`, `${scheme} TYPE3-${user}`]) {
    const answer = await fetchFrom(url, { agent, headers: authorization === undefined ? {} : { authorization } });
    statuses.push(answer.status);
    text = answer.text;
  }
  return { statuses, text };
};

describe.each(["NTLM", "Negotiate", "negotiate"])("%s", (scheme) => {
  test("works through the proxy for each client's connection, and serves no other", async () => {
    const upstream = await startNtlm("a", scheme);
    const { url } = await startProxy({ upstreams: [upstream.url] });
    const [alice, bob] = [keepAlive(1), keepAlive(1)];
    expect(await authenticate(url, alice, "alice", scheme)).toEqual({ statuses: [401, 401, 200], text: "a: alice" });
    expect(await authenticate(url, bob, "bob", scheme)).toEqual({ statuses: [401, 401, 200], text: "a: bob" });
    for (let count = 0; count < 3; count++) {
      expect((await fetchFrom(url, { agent: alice })).text).toBe("a: alice");
      expect((await fetchFrom(url, { agent: bob })).text).toBe("a: bob");
      expect((await fetchFrom(url)).status).toBe(401);
    }
  });
});

test("the legs go to one upstream of several, whatever the policy, and so does what follows", async () => {
  const upstreams = await Promise.all(["a", "b", "c"].map((name) => startNtlm(name)));
  const { url } = await startProxy({ balance: "round-robin", upstreams: upstreams.map((upstream) => upstream.url) });
  for (const user of ["alice", "bob"]) {
    const agent = keepAlive(1);
    const { statuses, text } = await authenticate(url, agent, user);
    expect(statuses).toEqual([401, 401, 200]);
    for (let count = 0; count < 4; count++) expect((await fetchFrom(url, { agent })).text).toBe(text);
  }
});

test("an upstream that is taken out is left, and the client has to authenticate again elsewhere", async () => {
  const upstreams = await Promise.all(["a", "b"].map((name) => startNtlm(name)));
  const list = upstreams.map(({ url }, index) => ({ id: "ab"[index] as string, url }));
  const { url, proxy } = await startProxy({ balance: "first", upstreams: list });
  const agent = keepAlive(1);
  expect((await authenticate(url, agent, "alice")).text).toBe("a: alice");
  onlyPool(proxy).setState("a", "disabled");
  expect((await fetchFrom(url, { agent })).status).toBe(401);
  expect((await authenticate(url, agent, "alice")).text).toBe("b: alice");
});

test("the connection ends with that of its client, and at once", async () => {
  const upstream = await startNtlm("a");
  const { url } = await startProxy({ upstreams: [upstream.url] });
  const agent = keepAlive(1);
  await authenticate(url, agent, "alice");
  expect(upstream.sockets.size).toBe(1);
  agent.destroy();
  await until(() => upstream.sockets.size === 0);
  expect((await fetchFrom(url)).status).toBe(401);
  await until(() => upstream.sockets.size === 0);
});

test("a connection is kept longer than others, and ends when it has been idle too long", async () => {
  const upstream = await startNtlm("a");
  const clock = new VirtualClock();
  const { url } = await startProxy({ upstreams: [upstream.url] }, { runtime: { clock } });
  const agent = keepAlive(1);
  await authenticate(url, agent, "alice");
  await clock.advanceAsync(limits.authenticatedIdleMs - 1_000);
  expect((await fetchFrom(url, { agent })).text).toBe("a: alice");
  await clock.advanceAsync(limits.authenticatedIdleMs + 1_000);
  await until(() => upstream.sockets.size === 0);
  expect((await fetchFrom(url, { agent })).status).toBe(401);
});

test.each<[string, number, Record<string, string>, Record<string, string>]>([
  ["an Authorization that nothing challenged", 200, { authorization: "Negotiate YII=" }, {}],
  ["a 407 with a challenge", 407, {}, { "Proxy-Authenticate": "NTLM" }],
  ["a 401 with a list of challenges", 401, {}, { "WWW-Authenticate": "Basic realm=x, Negotiate" }],
])("a connection that has carried %s serves no other client", async (_what, status, headers, challenge) => {
  const upstream = await startUpstream("a", (_req, res) => void res.writeHead(status, challenge).end());
  const clock = new VirtualClock();
  const { url } = await startProxy({ upstreams: [upstream.url] }, { runtime: { clock } });
  const agent = keepAlive(1);
  expect((await fetchFrom(url, { agent, headers })).status).toBe(status);
  const { size } = upstream.sockets;
  clock.advance(10);
  const second = new Set(upstream.sockets);
  await fetchFrom(url, { agent: keepAlive(1), headers });
  const opened = [...upstream.sockets].filter((socket) => !second.has(socket));
  expect([size, opened.length]).toEqual([1, 1]);
});

test.each<[string, Record<string, string>, Record<string, string>, number]>([
  ["Basic", { authorization: "Basic YTpi" }, { "WWW-Authenticate": "Basic realm=ntlm.example" }, 401],
  ["Bearer", { authorization: "Bearer ntlm" }, { "WWW-Authenticate": "Bearer" }, 401],
  ["a challenge without its status", {}, { "WWW-Authenticate": "NTLM" }, 200],
])("connections that carry %s are shared as ever", async (_what, headers, challenge, status) => {
  const upstream = await startUpstream("a", (_req, res) => void res.writeHead(status, challenge).end());
  const clock = new VirtualClock();
  const { url } = await startProxy({ upstreams: [upstream.url] }, { runtime: { clock } });
  const connections = new Set<Socket>();
  for (let count = 0; count < 5; count++) {
    await fetchFrom(url, { headers });
    for (const socket of upstream.sockets) connections.add(socket);
    clock.advance(10);
  }
  expect(connections.size).toBe(1);
});

test("a request of the app's own leaves no authenticated connection behind", async () => {
  const upstream = await startNtlm("a");
  const { proxy } = await startProxy({ upstreams: [upstream.url] });
  const { fetch } = proxy.outbound("default");
  const response = await fetch("http://default/", { headers: { authorization: "NTLM TYPE1" } });
  expect([response.status, await response.text()]).toEqual([401, "who are you?"]);
  await until(() => upstream.sockets.size === 0);
});

test("where connections are limited, one that is kept for a client gives way to a request that needs room", async () => {
  const upstream = await startNtlm("a");
  const { url } = await startProxy({ upstreams: [upstream.url], connections: { max: 1 } });
  const agent = keepAlive(1);
  await authenticate(url, agent, "alice");
  expect((await fetchFrom(url)).status).toBe(401);
  expect((await fetchFrom(url, { agent })).status).toBe(401);
});

test("pipelined requests of a client are answered, and none of another's connection", async () => {
  const upstream = await startNtlm("a");
  const { port, url } = await startProxy({ upstreams: [upstream.url] });
  await authenticate(url, keepAlive(1), "alice");
  const get = (line = "") => `GET / HTTP/1.1\r\nHost: h\r\n${line}\r\n`;
  const client = await rawClient(
    port,
    `${get("Authorization: NTLM TYPE1\r\n")}${get()}${get("Connection: close\r\n")}`,
  );
  const { text } = await client.over();
  expect(text.match(/^HTTP\/1\.1 401 /gm)).toHaveLength(3);
  expect(text).not.toContain("alice");
});

test("is bounded: connections over the limit are closed with their responses", async () => {
  const upstream = await startNtlm("a");
  const { url, proxy } = await startProxy({ upstreams: [upstream.url] });
  const { authenticated } = onlyPool(proxy).connector;
  const [own] = onlyPool(proxy).upstreams;
  const client = { destroyed: false, once: () => client } as never;
  let kept = 0;
  while (kept <= limits.authenticatedConnections) {
    if (!authenticated.keep({ ...(client as object) } as never, own?.address as never, () => {})) break;
    kept++;
  }
  expect(kept).toBe(limits.authenticatedConnections);
  const agent = keepAlive(1);
  expect((await fetchFrom(url, { agent })).status).toBe(401);
  await until(() => upstream.sockets.size === 0);
});
