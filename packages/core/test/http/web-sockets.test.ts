import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { Socket } from "node:net";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { rawClient, underLoad } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { refusingUrl } from "../support/refusing-port.ts";
import { nextEvent, onlyPool, startProxy } from "../support/start-proxy.ts";
import { startRawUpstream, startUpstream } from "../support/start-upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { closeCode, connectSocket, echo, handshake, openSocket, startEcho, switching } from "../support/web-sockets.ts";

describe("a tunnel", () => {
  test("echoes text and 64 KB of binary, and its end is one request", async () => {
    const upstream = await startEcho();
    const { url, proxy, finished } = await startProxy({ upstreams: [{ id: "a", url: upstream.url }] });
    const opened = nextEvent(proxy, "tunnel", ({ change }) => change === "opened");
    const socket = await connectSocket(`${url}/chat?room=1`);
    expect(await opened).toMatchObject({ pool: "default", upstream: "a", durationMs: 0 });
    expect(onlyPool(proxy).snapshot()).toMatchObject({ tunnels: 1, inFlight: 0 });
    expect((await echo(socket, "hello")).data.toString()).toBe("hello");
    const bytes = randomBytes(65_536);
    const { data, binary } = await echo(socket, bytes);
    expect([data.equals(bytes), binary]).toEqual([true, true]);
    const closed = nextEvent(proxy, "tunnel", ({ change }) => change === "closed");
    socket.close(4_000, "enough");
    expect(await closeCode(socket)).toBe(4_000);
    expect((await closed).bytesOut).toBeGreaterThan(65_536);
    const [event] = await finished(1);
    expect(event).toMatchObject({ status: 101, method: "GET", url: "/chat?room=1", upstream: "a", error: undefined });
    expect(event?.attempts).toMatchObject([{ upstream: "a", status: 101 }]);
    expect(proxy.snapshot()).toMatchObject({
      requests: [{ code: 101, count: 1 }],
      durations: [{ histogram: { count: 0 } }],
    });
    expect(event?.bytesIn).toBeGreaterThan(65_536);
    expect(upstream.received[0]?.url).toBe("/chat?room=1");
  });

  test("passes the subprotocol, the cookies and the client's name on", async () => {
    const upstream = await startEcho();
    const { url } = await startProxy({ upstreams: [upstream.url] });
    const headers = { Cookie: "a=1", Origin: "http://page.example", "X-Forwarded-For": "6.6.6.6" };
    const socket = await connectSocket(url, ["chat", "superchat"], { headers });
    expect(socket.protocol).toBe("superchat");
    expect(upstream.received[0]?.headers).toMatchObject({
      cookie: "a=1",
      origin: "http://page.example",
      "x-forwarded-for": "127.0.0.1",
      via: "1.1 evenkeel",
      "sec-websocket-protocol": "chat,superchat",
    });
  });

  test("carries what either side says early, with the handshake or right behind it", async () => {
    const upstream = await startRawUpstream((socket, _head, rest) => {
      socket.write(`${switching()}early`);
      const answer = (data: Buffer) => void socket.write(`<${data.toString()}>`);
      if (rest.length > 0) answer(rest);
      socket.on("data", answer);
    });
    const { port, finished } = await startProxy({ upstreams: [upstream.url] });
    const client = await rawClient(port, `${handshake()}hasty`);
    await client.until(/\r\n\r\nearly<hasty>$/);
    expect(client.text).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    client.socket.write("more");
    await client.until(/<more>$/);
    client.socket.end();
    // What either side has said, without the handshake.
    const [bytesIn, bytesOut] = ["hastymore".length, "early<hasty><more>".length];
    expect((await finished(1))[0]).toMatchObject({ status: 101, bytesIn, bytesOut });
  });

  test("is not closed by an idle timeout of the server while its upstream has not responded", async () => {
    const upstream = await startRawUpstream(() => {});
    const { port, server } = await startProxy({ upstreams: [upstream.url] });
    server.setTimeout(60_000);
    const connected = once(server, "connection") as Promise<[Socket]>;
    await rawClient(port, handshake());
    const [socket] = await connected;
    await until(() => upstream.heads.length === 1);
    expect(socket.timeout ?? 0).toBe(0);
  });

  test("passes header bytes from 0x80 on unchanged, both ways", async () => {
    // "Jörg" in UTF-8.
    const name = "J\xc3\xb6rg \x80\xff";
    const upstream = await startRawUpstream((socket) => {
      socket.write(Buffer.from(switching([`Set-Cookie: name=${name}`, `Set-Cookie: b=${name}`]), "latin1"));
    });
    const { port } = await startProxy({ upstreams: [upstream.url] });
    const client = await rawClient(port, Buffer.from(handshake("/", [`Cookie: name=${name}`]), "latin1"));
    const text = await client.until(/\r\n\r\n/);
    expect(text.match(/^Set-Cookie: .*$/gim)).toEqual([`Set-Cookie: name=${name}`, `Set-Cookie: b=${name}`]);
    expect(upstream.heads[0]).toContain(`\r\nCookie: name=${name}\r\n`);
  });

  test("has TCP probe the client and the upstream after a minute of silence", async () => {
    const set = vi.spyOn(Socket.prototype, "setKeepAlive");
    onTestFinished(() => set.mockRestore());
    const upstream = await startRawUpstream((socket) => void socket.write(switching()));
    const { port, server } = await startProxy({ upstreams: [upstream.url] });
    const accepted = once(server, "connection");
    const client = await rawClient(port, handshake());
    await client.until(/\r\n\r\n/);
    const [socket] = (await accepted) as [Socket];
    const last = set.mock.calls.filter((_call, index) => set.mock.contexts[index] === socket).at(-1);
    expect(last).toEqual([true, 60_000]);
  });

  test("keeps its path byte for byte, and goes by the routes", async () => {
    const [upstream, other] = [await startEcho("a"), await startEcho("b")];
    const pools = { a: { upstreams: [upstream.url] }, b: { upstreams: [other.url] } };
    const routes = [
      { path: "/ws", pool: "a", stripPrefix: true },
      { path: "/other", pool: "b" },
    ];
    const { url, port } = await startProxy({ pools, routes });
    await echo(await connectSocket(`${url}/ws//x%20y?z=%zz`), "x");
    expect(upstream.received[0]?.url).toBe("//x%20y?z=%zz");
    await echo(await connectSocket(`${url}/other`), "x");
    expect(other.received[0]?.url).toBe("/other");
    const client = await rawClient(port, handshake("/elsewhere"));
    expect((await client.over()).text).toMatch(/^HTTP\/1\.1 404 /);
    expect((await (await rawClient(port, handshake("/ws/../admin"))).over()).text).toMatch(/^HTTP\/1\.1 400 /);
  });

  test("is balanced like any request", async () => {
    const [a, b] = [await startEcho("a"), await startEcho("b")];
    const { url, proxy } = await startProxy({ balance: "round-robin", upstreams: [a.url, b.url] });
    const sockets = await underLoad(10, 1, () => connectSocket(url));
    expect([a.received.length, b.received.length]).toEqual([5, 5]);
    expect(onlyPool(proxy).tunnels).toBe(10);
    for (const socket of sockets) socket.close();
    await until(() => onlyPool(proxy).tunnels === 0);
  });
});

describe("one side that ends or dies takes the other along within a second", () => {
  test.each([
    ["client", "ends"],
    ["client", "dies"],
    ["upstream", "ends"],
    ["upstream", "dies"],
  ])("the %s %s", async (side, how) => {
    const upstream = await startRawUpstream((socket) => void socket.write(switching()));
    const { port, proxy, finished } = await startProxy({ upstreams: [upstream.url] });
    const client = await rawClient(port, handshake());
    await client.until(/\r\n\r\n/);
    const [far] = upstream.sockets;
    if (far === undefined) throw new Error("no socket");
    const [actor, other] = side === "client" ? [client.socket, far] : [far, client.socket];
    const gone = once(other, "close");
    other.once("end", () => other.end());
    const before = performance.now();
    if (how === "ends") actor.end();
    else actor.resetAndDestroy();
    await gone;
    expect(performance.now() - before).toBeLessThan(1_500);
    expect((await finished(1))[0]).toMatchObject({ status: 101, error: undefined });
    expect(onlyPool(proxy).tunnels).toBe(0);
  });
});

describe("an upgrade that the upstream refuses", () => {
  test("is relayed, rightly framed, and the connection ends", async () => {
    const upstream = await startUpstream("a");
    upstream.server.on("upgrade", (req, socket) => {
      expect(req.headers.upgrade).toBe("websocket");
      socket.end(
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
      );
    });
    const { url, port, finished } = await startProxy({ upstreams: [upstream.url] });
    const socket = openSocket(url);
    const [, response] = await once(socket, "unexpected-response");
    expect(response.statusCode).toBe(401);
    expect(response.headers).toMatchObject({ "www-authenticate": "Basic", connection: "close", via: "1.1 evenkeel" });
    const client = await rawClient(port, handshake());
    const { text, how } = await client.over();
    expect(how).toBe("end");
    expect(text).toMatch(/^HTTP\/1\.1 401 Unauthorized\r\n/);
    expect(text).toMatch(/\r\n\r\n2\r\nno\r\n0\r\n\r\n$/);
    const events = await finished(2);
    expect(events.map(({ status, error }) => [status, error])).toEqual([
      [401, undefined],
      [401, undefined],
    ]);
  });

  test("with a length keeps it", async () => {
    const upstream = await startUpstream(
      "a",
      (_req, res) => void res.writeHead(200, { "Content-Length": 5 }).end("plain"),
    );
    const { port } = await startProxy({ upstreams: [upstream.url] });
    const client = await rawClient(port, `${handshake()}GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n`);
    const { text } = await client.over();
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*Content-Length: 5\r\n[^]*\r\n\r\nplain$/);
    expect(upstream.received).toHaveLength(1);
  });

  test("and breaks off in the middle is cut off", async () => {
    const upstream = await startRawUpstream((socket) => {
      socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nhalf");
    });
    const { port, finished } = await startProxy({ upstreams: [upstream.url] });
    const { text } = await (await rawClient(port, handshake())).over();
    expect(text.endsWith("\r\n\r\nhalf") || text === "").toBe(true);
    expect((await finished(1))[0]).toMatchObject({ status: 403, error: "response_truncated", flags: ["truncated"] });
  });

  test("and falls silent in the middle is cut off in the end", async () => {
    const upstream = await startRawUpstream((socket) => {
      socket.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nhalf");
    });
    const { port, finished } = await startProxy({ upstreams: [upstream.url], timeouts: { idle: "60ms" } });
    const { text } = await (await rawClient(port, handshake())).over();
    expect(text).toMatch(/\r\n\r\nhalf$/);
    expect((await finished(1))[0]).toMatchObject({ status: 403, flags: ["truncated"] });
  });
});

describe("an answer to an upgrade that cannot be right is 502", () => {
  test.each<[string, string]>([
    ["another protocol", switching().replace("Upgrade: websocket", "Upgrade: h2c")],
    ["no accept", switching().replace(/Sec-WebSocket-Accept: .*\r\n/, "")],
    ["a wrong accept", switching().replace(/Sec-WebSocket-Accept: .*\r\n/, "Sec-WebSocket-Accept: AAAA\r\n")],
    ["no HTTP", "SSH-2.0-OpenSSH_9.6\r\n\r\n"],
    ["nothing", ""],
    ["a status below all", "HTTP/1.1 099 x\r\nContent-Length: 0\r\n\r\n"],
    ["a control character in the reason", "HTTP/1.1 403 N\x01o\r\nContent-Length: 0\r\n\r\n"],
    ["a control character in the reason of a 101", switching().replace("Switching", "Swit\x01ching")],
  ])("%s", async (name, bytes) => {
    const upstream = await startRawUpstream((socket) => void socket.end(Buffer.from(bytes, "latin1")));
    const { port, finished } = await startProxy({ upstreams: [upstream.url] });
    const { text } = await (await rawClient(port, handshake())).over();
    const [event] = await finished(1);
    if (name.startsWith("a control character")) {
      // Node's own parser, which reads handshakes, lets it through: then it goes no further.
      expect(text).not.toContain("\x01");
    } else {
      expect(text).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n/);
      expect(text).toMatch(/^Proxy-Status: evenkeel; error=/m);
      // What is no HTTP at all is a reset, which a handshake may be sent again after.
      const attempts = ["no HTTP", "nothing"].includes(name) ? 4 : 1;
      expect(event?.status).toBe(502);
      expect(event?.attempts.map(({ error }) => error)).toEqual(Array(attempts).fill(expect.any(String)));
    }
  });
});

describe("before the 101", () => {
  test("with every upstream down it is 502, and with none at all 503", async () => {
    const down = await startProxy({ upstreams: [await refusingUrl(), await refusingUrl()] });
    const { text } = await (await rawClient(down.port, handshake())).over();
    expect(text).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n/);
    expect(text).toMatch(/^Proxy-Status: evenkeel; error=connection_refused; details="connect_refused"\r$/m);
    expect((await down.finished(1))[0]?.attempts).toHaveLength(2);
    const none = await startProxy({ pools: { none: {} } });
    expect((await (await rawClient(none.port, handshake())).over()).text).toMatch(/^HTTP\/1\.1 503 /);
  });

  test("it moves on from a refused connection and from a reset", async () => {
    const bad = await startRawUpstream((socket) => socket.resetAndDestroy());
    const good = await startEcho("good");
    const upstreams = [
      { id: "down", url: await refusingUrl() },
      { id: "bad", url: bad.url },
      { id: "good", url: good.url },
    ];
    const { url, finished } = await startProxy({ balance: "round-robin", upstreams });
    const socket = await connectSocket(url);
    expect((await echo(socket, "x")).data.toString()).toBe("x");
    socket.close();
    const [event] = await finished(1);
    expect(event).toMatchObject({ status: 101, upstream: "good", flags: ["retried"] });
    expect(event?.attempts.map(({ upstream, error }) => [upstream, error])).toEqual([
      ["down", "connect_refused"],
      ["bad", "reset"],
      ["good", undefined],
    ]);
  });

  test("an upstream that says nothing is 504, and is given up", async () => {
    const upstream = await startRawUpstream((socket) => void socket.on("end", () => socket.end()));
    const { port, finished } = await startProxy({ upstreams: [upstream.url], timeouts: { headers: "60ms" } });
    expect((await (await rawClient(port, handshake())).over()).text).toMatch(/^HTTP\/1\.1 504 /);
    expect((await finished(1))[0]).toMatchObject({
      error: "headers_timeout",
      attempts: [{ error: "headers_timeout" }],
    });
    await until(() => upstream.sockets.size === 0);
  });

  test("a unix socket that is not there is no fault of TLS", async () => {
    const { port, finished } = await startProxy({ upstreams: ["http+unix:///nowhere/at-all.sock"] });
    expect((await (await rawClient(port, handshake())).over()).text).toMatch(/^HTTP\/1\.1 502 /);
    expect((await finished(1))[0]?.error).toBe("connect_failed");
  });

  test.each(["end", "reset"])("a client that leaves by a %s ends the upstream's connection", async (how) => {
    const upstream = await startRawUpstream((socket) => void socket.on("end", () => socket.end()));
    const { port, finished } = await startProxy({ upstreams: [upstream.url] });
    const client = await rawClient(port, handshake());
    await until(() => upstream.heads.length === 1);
    if (how === "end") client.socket.destroy();
    else client.socket.resetAndDestroy();
    expect((await finished(1))[0]).toMatchObject({ status: 499, error: "client_aborted" });
    await until(() => upstream.sockets.size === 0);
  });
});

describe("tunnels of an upstream that goes", () => {
  test("are closed with 1001 on both sides after the timeout of its drain", async () => {
    let said = Buffer.alloc(0);
    const upstream = await startRawUpstream((socket) => {
      socket.write(switching());
      socket.on("data", (data) => {
        said = Buffer.concat([said, data]);
      });
      socket.on("end", () => socket.end());
    });
    const clock = new VirtualClock();
    const upstreams = [{ id: "a", url: upstream.url }];
    const { proxy, port, finished } = await startProxy({ upstreams }, { runtime: { clock } });
    const client = await rawClient(port, handshake());
    await client.until(/\r\n\r\n/);
    onlyPool(proxy).setState("a", "draining", { timeout: "10s" });
    await clock.advanceAsync(9_999);
    expect(client.text).toMatch(/\r\n\r\n$/);
    await clock.advanceAsync(1);
    const { text } = await client.over();
    client.socket.end();
    expect(text.endsWith("\x88\x02\x03\xe9")).toBe(true);
    expect((await finished(1))[0]).toMatchObject({ status: 101, error: undefined });
    expect(said.toString("hex")).toBe("88820000000003e9");
    expect(onlyPool(proxy).tunnels).toBe(0);
  });

  test("are cut when neither side heeds it", async () => {
    const upstream = await startRawUpstream((socket) => void socket.write(switching()));
    const clock = new VirtualClock();
    const upstreams = [{ id: "a", url: upstream.url }];
    const { proxy, port, finished } = await startProxy(
      { upstreams, closeTunnelsWhen: ["disabled"] },
      { runtime: { clock } },
    );
    const client = await rawClient(port, handshake());
    await client.until(/\r\n\r\n/);
    onlyPool(proxy).setState("a", "disabled");
    await client.until(/\x88/);
    expect(onlyPool(proxy).tunnels).toBe(1);
    await clock.advanceAsync(1_000);
    expect(await finished(1)).toHaveLength(1);
    expect(onlyPool(proxy).tunnels).toBe(0);
  });
});
