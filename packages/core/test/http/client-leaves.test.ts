import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { begin, fetchFrom, rawClient, underLoad } from "../support/client.ts";
import { turns, until } from "../support/event-loop.ts";
import { refusingUrl } from "../support/refusing-port.ts";
import { leftovers, startProxy } from "../support/start-proxy.ts";
import { startRawUpstream, startUpstream } from "../support/start-upstream.ts";

/** An upstream that does something with each request's socket, and tells when that socket is gone. */
async function watched(onHead: (socket: Socket) => void) {
  let arrived: (socket: Socket) => void = () => {};
  let gone: (at: number) => void = () => {};
  const arrival = new Promise<Socket>((resolve) => {
    arrived = resolve;
  });
  const departure = new Promise<number>((resolve) => {
    gone = resolve;
  });
  const upstream = await startRawUpstream((socket) => {
    socket.once("close", () => gone(performance.now()));
    socket.once("end", () => socket.end());
    onHead(socket);
    arrived(socket);
  });
  return { upstream, arrival, departure };
}

const get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const answer = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nsome";

describe("the upstream's request ends within 100 ms of a client that leaves", () => {
  test.each(["end", "reset"] as const)("before the headers, by a %s", async (how) => {
    const { upstream, arrival, departure } = await watched(() => {});
    const { port, finished } = await startProxy({ upstreams: [upstream.url] });
    const client = await rawClient(port, get);
    await arrival;
    const left = performance.now();
    if (how === "end") client.socket.destroy();
    else client.socket.resetAndDestroy();
    expect((await departure) - left).toBeLessThan(100);
    const [event] = await finished(1);
    expect(event).toMatchObject({ status: 499, error: "client_aborted" });
    expect(event?.attempts).toMatchObject([{ error: "client_aborted" }]);
  });

  test("in the middle of the answer", async () => {
    const { upstream, departure } = await watched((socket) => void socket.write(answer));
    const { port, finished, proxy } = await startProxy({ upstreams: [upstream.url] });
    const client = await rawClient(port, get);
    await client.until(/some$/);
    const left = performance.now();
    client.socket.destroy();
    expect((await departure) - left).toBeLessThan(100);
    expect((await finished(1))[0]).toMatchObject({ status: 499, error: "client_aborted", bytesOut: 4 });
    expect(proxy.snapshot().pools[0]?.upstreams[0]).toMatchObject({ outcomes: { aborted: 1 }, lastFailure: null });
  });

  test("in the middle of its own body", async () => {
    const { upstream, arrival, departure } = await watched(() => {});
    const { port, finished } = await startProxy({ upstreams: [upstream.url] });
    const client = await rawClient(port, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nsome");
    await arrival;
    const left = performance.now();
    client.socket.destroy();
    expect((await departure) - left).toBeLessThan(100);
    expect((await finished(1))[0]).toMatchObject({ status: 499, error: "client_aborted", bytesIn: 4 });
  });

  test("while it reads nothing of a long answer", async () => {
    const { upstream, arrival, departure } = await watched((socket) => {
      socket.write(answer);
      socket.write(Buffer.alloc(900_000));
    });
    const { port, finished } = await startProxy({ upstreams: [upstream.url] });
    const client = await rawClient(port);
    client.socket.pause();
    client.socket.write(get);
    await arrival;
    const left = performance.now();
    client.socket.destroy();
    expect((await departure) - left).toBeLessThan(100);
    expect((await finished(1))[0]).toMatchObject({ status: 499 });
  });
});

describe("a client that leaves", () => {
  test("after its answer leaves nothing to be told", async () => {
    const upstream = await startUpstream("a");
    const { port, finished, requests } = await startProxy({ upstreams: [upstream.url] });
    const client = await rawClient(port, get);
    await client.until(/\ba\b$/);
    await finished(1);
    client.socket.resetAndDestroy();
    await fetchFrom(`http://127.0.0.1:${port}`);
    expect((await finished(2)).map(({ status }) => status)).toEqual([200, 200]);
    expect(requests).toHaveLength(2);
  });

  test("with requests behind the first one ends them all", async () => {
    const { upstream, departure } = await watched(() => {});
    const { port, finished, proxy } = await startProxy({ upstreams: [upstream.url] });
    const client = await rawClient(port, get + get + get);
    await until(() => upstream.heads.length === 3);
    client.socket.destroy();
    await departure;
    const events = await finished(3);
    expect(events.map(({ status, error }) => [status, error])).toEqual(Array(3).fill([499, "client_aborted"]));
    expect(leftovers(proxy)).toEqual([]);
  });

  test("while somebody in front of the proxy is still thinking is noticed", async () => {
    const upstream = await startUpstream("a");
    let go: () => void = () => {};
    const thinking = new Promise<void>((resolve) => {
      go = resolve;
    });
    const { port, finished } = await startProxy(
      { upstreams: [upstream.url] },
      { listener: (forward) => (req, res) => void thinking.then(() => forward(req, res)) },
    );
    const client = await rawClient(port, get);
    const closed = new Promise<void>((resolve) => {
      client.socket.once("close", resolve);
    });
    client.socket.destroy();
    await closed;
    // The server hears of it in its own time: another connection that has come and gone says that it has.
    await (await rawClient(port, "x\r\n\r\n")).over();
    go();
    expect((await finished(1))[0]).toMatchObject({ status: 499, error: "client_aborted" });
    expect(upstream.received).toHaveLength(0);
  });
});

test("a thousand requests given up in every phase leave nothing behind", async () => {
  const phases: ((socket: Socket) => void)[] = [
    () => {},
    (socket) => void socket.write("HTTP/1.1 200 OK\r\n"),
    (socket) => void socket.write(answer),
    (socket) => void socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n"),
  ];
  const arrivals = new Map<string, () => void>();
  let turn = 0;
  const slow = await startRawUpstream((socket, head) => {
    phases[turn++ % phases.length]?.(socket);
    arrivals.get(/\/\d+/.exec(head)?.[0] ?? "")?.();
  });
  const upstreams = [
    { id: "slow", url: slow.url },
    { id: "down", url: await refusingUrl() },
  ];
  const { url, proxy, finished } = await startProxy({ upstreams, queue: { max: 1_000 } });
  await underLoad(1_000, 50, async (index) => {
    const arrival = new Promise<void>((resolve) => arrivals.set(`/${index}`, resolve));
    const request = begin(`${url}/${index}`, { method: index % 2 === 0 ? "GET" : "POST" });
    request.on("response", (response) => response.on("error", () => {}));
    if (index % 2 === 1) request.write("some");
    else request.end();
    const gone = new Promise((resolve) => {
      request.once("close", resolve);
    });
    // Some leave at once, some when the upstream has heard of them, some a little later.
    if (index % 3 > 0) await arrival;
    if (index % 3 > 1) await turns(index % 7);
    request.destroy();
    await gone;
  });
  // Those that were given up before the proxy had read their heads were never requests.
  const [upstream] = proxy.snapshot().pools[0]?.upstreams ?? [];
  expect(upstream?.outcomes.aborted).toBeGreaterThan(600);
  const probe = await startUpstream("probe");
  proxy.reload({ upstreams: [probe.url] });
  expect((await fetchFrom(url)).text).toBe("probe");
  const events = await finished(proxy.snapshot().requests.reduce((sum, { count }) => sum + count, 0));
  expect(new Set(events.map(({ status }) => status))).toEqual(new Set([200, 499]));
  expect(leftovers(proxy)).toEqual([]);
});

describe("a client that ends its own side behind its request, and still reads", () => {
  const requests: [string, string][] = [
    ["without a body", get],
    ["with a body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nsome"],
  ];

  test.each(requests)("has left, as for node:http: a request %s", async (_, bytes) => {
    const { upstream, arrival, departure } = await watched(() => {});
    const { port, finished, proxy } = await startProxy({ upstreams: [upstream.url] });
    const client = await rawClient(port, bytes);
    await arrival;
    client.socket.end();
    await departure;
    expect((await client.over()).text).toBe("");
    expect((await finished(1))[0]).toMatchObject({ status: 499, error: "client_aborted" });
    expect(proxy.snapshot().pools[0]?.upstreams[0]).toMatchObject({ outcomes: { aborted: 1 }, lastFailure: null });
  });

  test.each(requests)("is answered where the server says so: a request %s", async (_, bytes) => {
    const { upstream, arrival } = await watched(() => {});
    const { port, finished, server } = await startProxy({ upstreams: [upstream.url] });
    Object.assign(server, { httpAllowHalfOpen: true });
    const ended = new Promise<void>((resolve) => {
      server.once("connection", (socket) => socket.once("end", resolve));
    });
    const client = await rawClient(port, bytes);
    const socket = await arrival;
    client.socket.end();
    await ended;
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate");
    const { text, how } = await client.over();
    expect([text.slice(-4), how]).toEqual(["late", "end"]);
    expect((await finished(1))[0]).toMatchObject({ status: 200, error: undefined, flags: [] });
  });
});
