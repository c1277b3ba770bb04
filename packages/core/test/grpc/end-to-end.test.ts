import { Metadata, status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import type { ProxyOptions } from "../../src/config/options.ts";
import { cert, key } from "../support/certificates.ts";
import { until } from "../support/event-loop.ts";
import { type BothCall, collect, EchoClient, echo, grpcServer, type UnaryCall } from "../support/grpc-lab.ts";
import { startHttp2Front } from "../support/http2-front.ts";
import { refusingPort } from "../support/refusing-port.ts";

/** A proxy in front of these upstreams, and a client with one connection to it. */
async function start(urls: readonly string[], options: Partial<ProxyOptions> = {}) {
  const upstreams = urls.map((url, index) => ({ id: String.fromCharCode(97 + index), url }));
  const front = await startHttp2Front({ upstreams, connections: { http2: "h2c" }, ...options } as ProxyOptions);
  const { proxy, requests } = front;
  /** Resolves with the first so many finished requests. */
  const finished = (count: number) => front.until(() => requests.length >= count).then(() => requests);
  return { proxy, requests, finished, client: new EchoClient(front.port) };
}

describe("calls through the proxy", () => {
  test("of all four kinds", async () => {
    const { client, requests, finished } = await start([(await grpcServer()).url]);
    const texts = Array.from({ length: 200 }, (_, index) => Buffer.from(`${index} ${"x".repeat(index * 20)}`));
    expect(await client.unary("hello")).toMatchObject({ code: 0, messages: [Buffer.from("hello")] });
    const size = texts.reduce((sum, { length }) => sum + length, 0);
    expect(await client.upload(texts)).toMatchObject({ code: 0, messages: [Buffer.from(String(size))] });
    const rows = await collect(client.download("row"));
    expect(rows.messages.map(String)).toEqual(Array.from({ length: 100 }, (_, index) => `row ${index}`));
    const both = client.both();
    const ended = collect(both);
    for (const text of texts) both.write(text);
    both.end();
    const { code, messages } = await ended;
    expect([code, messages.map(String)]).toEqual([0, texts.map(String)]);
    await finished(4);
    for (const request of requests) {
      expect(request).toMatchObject({ protocol: "HTTP/2.0", status: 200, grpcStatus: 0, error: undefined, flags: [] });
    }
  });

  test("take turns, message by message", async () => {
    const { client } = await start([(await grpcServer()).url]);
    const call = client.both();
    const received: string[] = [];
    call.on("data", (bytes: Buffer) => received.push(String(bytes)));
    const ended = new Promise((resolve) => call.on("status", resolve));
    for (let count = 1; count <= 20; count++) {
      call.write(Buffer.from(String(count)));
      await until(() => received.length === count);
    }
    call.end();
    expect(await ended).toMatchObject({ code: 0 });
    expect(received.at(-1)).toBe("20");
  });

  test("get the server's metadata before its first message, and with its status", async () => {
    const server = await grpcServer({
      Both: (call) => {
        const initial = new Metadata();
        initial.set("x-initial", "early");
        call.sendMetadata(initial);
        call.on("end", () => {
          const trailing = new Metadata();
          trailing.set("x-trailing-bin", Buffer.from([0, 255, 1]));
          call.end(trailing);
        });
        call.resume();
      },
    });
    const { client } = await start([server.url]);
    const metadata = new Metadata();
    metadata.set("x-token-bin", Buffer.from([1, 2, 255]));
    const call = client.both({ metadata });
    const ended = collect(call);
    const initial = await new Promise<Metadata>((resolve) => call.on("metadata", resolve));
    expect(initial.get("x-initial")).toEqual(["early"]);
    call.end();
    const { code, trailers } = await ended;
    expect([code, trailers?.get("x-trailing-bin")]).toEqual([0, [Buffer.from([0, 255, 1])]]);
  });

  test("get the status, the details and the metadata of a failed call", async () => {
    const metadata = new Metadata();
    metadata.set("x-reason", "none");
    const server = await grpcServer({
      Unary: (_, done) => done({ code: status.NOT_FOUND, details: "größer 100%", metadata }),
    });
    const { client, finished } = await start([server.url]);
    const { code, details, trailers } = await client.unary("x");
    expect([code, details, trailers?.get("x-reason")]).toEqual([status.NOT_FOUND, "größer 100%", ["none"]]);
    expect((await finished(1))[0]).toMatchObject({ grpcStatus: 5, attempts: [{ grpcStatus: 5 }] });
    expect(await collect(client.both())).toMatchObject({
      code: status.UNIMPLEMENTED,
    });
  });

  test("may have large messages in both directions, at the same time", async () => {
    const { client } = await start([(await grpcServer()).url]);
    const large = Array.from({ length: 4 }, (_, index) => Buffer.alloc(8_000_000, index + 1));
    const replies = await Promise.all(large.map((message) => client.unary(message)));
    for (const [index, { code, messages }] of replies.entries()) {
      expect(code).toBe(0);
      expect(messages[0]?.equals(large[index] as Buffer)).toBe(true);
    }
    expect((await client.upload(large)).messages).toEqual([Buffer.from("32000000")]);
  });

  test("stop a server whose client does not read", async () => {
    let sent = 0;
    const server = await grpcServer({
      Download: (call) => {
        const write = () => {
          for (let room = true; room && sent < 2_000; sent++) room = call.write(Buffer.alloc(65_536));
          if (sent === 2_000) call.end();
        };
        call.on("drain", write);
        write();
      },
    });
    const { client } = await start([server.url]);
    const call = client.download("x");
    call.on("error", () => {});
    call.pause();
    await until(() => sent > 5);
    let before = -1;
    await until(() => {
      const stands = before === sent;
      before = sent;
      return stands;
    });
    expect(sent).toBeLessThan(1_000);
    let received = 0;
    const ended = new Promise((resolve) => call.on("status", resolve));
    call.on("data", () => received++).resume();
    expect(await ended).toMatchObject({ code: 0 });
    expect(received).toBe(2_000);
  });

  test("of one connection are spread over the upstreams", async () => {
    const servers = [await grpcServer(), await grpcServer(), await grpcServer()];
    const { client, requests, finished } = await start(
      servers.map(({ url }) => url),
      { balance: "round-robin" },
    );
    const replies = await Promise.all(Array.from({ length: 300 }, (_, index) => client.unary(String(index))));
    expect(replies.map(({ messages }) => String(messages[0]))).toEqual(replies.map((_, index) => String(index)));
    await finished(300);
    const counts = ["a", "b", "c"].map((id) => requests.filter(({ upstream }) => upstream === id).length);
    expect(counts).toEqual([100, 100, 100]);
  });

  test("over TLS to the upstream", async () => {
    const { url } = await grpcServer(echo, { secure: { key, cert } });
    const { client } = await start([url], { connections: { http2: true }, tls: { ca: cert } });
    expect(await client.unary("hello")).toMatchObject({ code: 0, messages: [Buffer.from("hello")] });
  });
});

describe("deadlines and cancellation", () => {
  test("a deadline reaches the server, and ends the call on both sides", async () => {
    let cancelled = 0;
    const deadlines: unknown[] = [];
    const server = await grpcServer({
      Unary: (call: UnaryCall) => {
        deadlines.push(call.getDeadline());
        call.on("cancelled", () => cancelled++);
      },
    });
    const { client, finished } = await start([server.url]);
    expect(await client.unary("x", { deadlineMs: 200 })).toMatchObject({ code: status.DEADLINE_EXCEEDED });
    await until(() => cancelled === 1);
    expect(Number(deadlines[0]) - Date.now()).toBeLessThan(200);
    const [event] = await finished(1);
    // The client's own clock and the proxy's may end it first.
    expect([status.DEADLINE_EXCEEDED, status.CANCELLED]).toContain(event?.grpcStatus);
  });

  test("a client that cancels a stream cancels the server's", async () => {
    let cancelled = 0;
    const server = await grpcServer({
      Both: (call: BothCall) => {
        call.on("cancelled", () => cancelled++);
        call.on("data", (bytes: Buffer) => call.write(bytes));
      },
    });
    const { client, finished } = await start([server.url]);
    const call = client.both();
    const ended = collect(call);
    call.write(Buffer.from("x"));
    await new Promise((resolve) => call.once("data", resolve));
    call.cancel();
    expect(await ended).toMatchObject({ code: status.CANCELLED });
    await until(() => cancelled === 1);
    expect((await finished(1))[0]).toMatchObject({ status: 499, grpcStatus: 1, error: "client_aborted" });
    expect(await client.unary("x")).not.toMatchObject({ code: status.CANCELLED });
  });
});

describe("restarts", () => {
  test("of the servers, one after the other, fail no call", async () => {
    const first = [await grpcServer(), await grpcServer()];
    const { client } = await start(first.map(({ url }) => url));
    let stopped = false;
    const codes: number[] = [];
    const callers = Array.from({ length: 10 }, async () => {
      while (!stopped) codes.push((await client.unary("x")).code);
    });
    const more = (count: number) => {
      const before = codes.length;
      return until(() => codes.length >= before + count);
    };
    for (const { port, stop } of first) {
      await more(50);
      await stop();
      await more(50);
      await grpcServer(echo, { port });
    }
    await more(50);
    stopped = true;
    await Promise.all(callers);
    expect(codes.filter((code) => code !== 0)).toEqual([]);
  });

  test("a proxy that closes lets a stream end", async () => {
    const { client, proxy } = await start([(await grpcServer()).url]);
    const call = client.both();
    const ended = collect(call);
    call.write(Buffer.from("before"));
    await new Promise((resolve) => call.once("data", resolve));
    const closed = proxy.close({ timeout: "10s" });
    call.write(Buffer.from("after"));
    call.end();
    const { code, messages } = await ended;
    expect([code, messages.map(String)]).toEqual([0, ["before", "after"]]);
    await closed;
  });
});

describe("failures", () => {
  test("UNAVAILABLE before any message is retried, and its client notices nothing", async () => {
    let refused = 0;
    const starting = await grpcServer({
      Unary: (_, done) => {
        refused++;
        done({ code: status.UNAVAILABLE, details: "starting" });
      },
    });
    const { client, requests } = await start([starting.url, (await grpcServer()).url], { balance: "round-robin" });
    for (let count = 0; count < 8; count++) expect(await client.unary("hello")).toMatchObject({ code: 0 });
    expect(refused).toBeGreaterThan(0);
    expect(requests.filter(({ flags }) => flags.includes("retried"))).toHaveLength(refused);
  });

  test("no upstream is UNAVAILABLE, with the error code", async () => {
    const { client, finished } = await start([`http://127.0.0.1:${await refusingPort()}`]);
    const { code, details, trailers } = await client.unary("x");
    expect([code, details]).toEqual([status.UNAVAILABLE, "Bad Gateway (connect_refused)"]);
    expect(trailers?.get("proxy-status")[0]).toContain("connection_refused");
    expect((await finished(1))[0]).toMatchObject({ status: 200, grpcStatus: 14, error: "connect_refused" });
  });

  test("a server that dies within a stream is an error of the client, and never the end of the stream", async () => {
    const server = await grpcServer({ Download: (call) => void call.write(Buffer.from("first")) });
    const { client, finished } = await start([server.url]);
    const call = client.download("x");
    const ended = collect(call);
    await new Promise((resolve) => call.once("data", resolve));
    server.kill();
    const { code, messages } = await ended;
    expect(code).not.toBe(0);
    expect(messages.map(String)).toEqual(["first"]);
    expect((await finished(1))[0]).toMatchObject({ error: "response_truncated", grpcStatus: 14 });
  });

  test("an upstream that fails every call is ejected", async () => {
    const broken = await grpcServer({ Unary: (_, done) => done({ code: status.INTERNAL }) });
    const { client, proxy } = await start([broken.url, (await grpcServer()).url], {
      balance: "round-robin",
      outlierDetection: { consecutiveFailures: 3 },
    });
    for (let count = 0; count < 8; count++) await client.unary("x");
    expect(proxy.pools.get("default")?.get("a")?.ejectedUntil).toBeDefined();
    for (let count = 0; count < 8; count++) expect(await client.unary("x")).toMatchObject({ code: 0 });
  });

  test("a server that is NOT_SERVING gets no calls", async () => {
    let serving = 1;
    const a = await grpcServer(echo, { health: () => serving });
    const b = await grpcServer(echo, { health: () => 1 });
    const { client, proxy, requests } = await start([a.url, b.url], {
      healthCheck: { type: "grpc", interval: "100ms", fastInterval: "100ms", unhealthyThreshold: 1 },
    });
    const health = () => proxy.pools.get("default")?.get("a")?.health;
    await until(() => health() === "healthy");
    serving = 2;
    await until(() => health() === "unhealthy");
    for (let count = 0; count < 10; count++) expect(await client.unary("x")).toMatchObject({ code: 0 });
    expect(new Set(requests.map(({ upstream }) => upstream))).toEqual(new Set(["b"]));
  });
});
