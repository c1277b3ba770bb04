import { describe, expect, test } from "vitest";
import { errorCode } from "../../../src/http2/protocol.ts";
import { ask } from "../../support/exchanges.ts";
import { data, type FrameRequest, frameServer, goaway, headers, reset, respond } from "../../support/frame-server.ts";
import { h2cTransport } from "../../support/http2-transports.ts";

/** Every way in which an upstream can leave a response unfinished, by what it does once a request has come. */
type Death = (request: FrameRequest) => void;

const ok = [[":status", "200"]] as const;
const okOf = (length: number) =>
  [
    [":status", "200"],
    ["content-length", String(length)],
  ] as const;

async function answered(death: Death, options: Parameters<typeof ask>[2] = {}) {
  const upstream = await frameServer({ onRequest: death });
  const exchange = await ask(h2cTransport(upstream.port), "/", options).ended();
  return { exchange, upstream };
}

describe("a stream that the upstream resets", () => {
  const codes = Object.entries(errorCode).filter(([name]) => name !== "refusedStream" && name !== "http11Required");

  test.each(codes)("with %s in a body without a length is a truncated response", async (_, code) => {
    const { exchange } = await answered(({ peer, id }) =>
      peer.send(headers(id, ok), data(id, "half"), reset(id, code)),
    );
    expect(exchange).toMatchObject({ phase: "failed", status: 200, body: "half" });
    expect(exchange.failure).toMatchObject({ code: "response_truncated", sent: true, reused: false });
  });

  test.each(codes)("with %s before a head is a reset", async (_, code) => {
    const { exchange } = await answered(({ peer, id }) => peer.send(reset(id, code)));
    expect(exchange.failure).toMatchObject({ code: "reset", sent: true, reused: false });
  });

  test.each(codes)(
    "with %s behind all the bytes that were announced, but no END_STREAM, is truncated",
    async (_, code) => {
      const { exchange } = await answered(({ peer, id }) =>
        peer.send(headers(id, okOf(4)), data(id, "full"), reset(id, code)),
      );
      expect(exchange.failure).toMatchObject({ code: "response_truncated" });
    },
  );

  test.each(codes)("with %s behind a head alone is truncated", async (_, code) => {
    const { exchange } = await answered(({ peer, id }) => peer.send(headers(id, ok), reset(id, code)));
    expect(exchange.failure).toMatchObject({ code: "response_truncated" });
  });

  test.each(codes)("with %s behind an early hint is a reset", async (_, code) => {
    const { exchange } = await answered(({ peer, id }) =>
      peer.send(headers(id, [[":status", "103"]]), reset(id, code)),
    );
    expect(exchange.failure).toMatchObject({ code: "reset" });
    expect(exchange.informations).toEqual([[103, []]]);
  });

  test.each(codes)("with %s behind END_STREAM changes nothing", async (_, code) => {
    const { exchange, upstream } = await answered(({ peer, id }) => peer.send(respond(id, "whole"), reset(id, code)));
    expect(exchange).toMatchObject({ phase: "complete", body: "whole" });
    expect(upstream.peers).toHaveLength(1);
  });

  test("leaves the connection and its other streams alone", async () => {
    const upstream = await frameServer({
      onRequest: ({ peer, id }) => {
        if (id === 3) peer.send(headers(1, ok), reset(1, errorCode.internalError), respond(3, "fine"));
      },
    });
    const transport = h2cTransport(upstream.port);
    const first = ask(transport, "/1");
    await first.until(() => first.phase === "connected");
    const second = ask(transport, "/2");
    expect(await second.ended()).toMatchObject({ phase: "complete", body: "fine" });
    expect((await first.ended()).failure?.code).toBe("response_truncated");
    expect(upstream.peers).toHaveLength(1);
  });
});

describe("a request that the upstream has not processed", () => {
  test("is safe to send again when its stream was refused, and so is one with a body", async () => {
    for (const options of [{}, { method: "POST", body: "hello" }]) {
      const { exchange } = await answered(({ peer, id }) => peer.send(reset(id, errorCode.refusedStream)), options);
      expect(exchange.failure).toMatchObject({ code: "reset", sent: false, reused: false });
    }
  });

  test("is not counted when a used connection refuses it: the upstream is closing", async () => {
    const upstream = await frameServer({
      onRequest: ({ peer, id }) => peer.send(id === 1 ? respond(1) : reset(id, errorCode.refusedStream)),
    });
    const transport = h2cTransport(upstream.port);
    await ask(transport, "/1").ended();
    expect((await ask(transport, "/2").ended()).failure).toMatchObject({ code: "reset", sent: false, reused: true });
  });

  test("is one above GOAWAY's last stream; those up to it go on", async () => {
    const upstream = await frameServer({
      onRequest: ({ peer, id }) => {
        if (id === 5) peer.send(goaway(3), respond(1, "one"), headers(3, ok), data(3, "three", true));
      },
    });
    const transport = h2cTransport(upstream.port);
    const first = ask(transport, "/1");
    await first.until(() => first.phase === "connected");
    const others = [ask(transport, "/2"), ask(transport, "/3", { method: "POST", body: "hello" })];
    expect(await first.ended()).toMatchObject({ phase: "complete", body: "one" });
    expect(await others[0]?.ended()).toMatchObject({ phase: "complete", body: "three" });
    expect((await others[1]?.ended())?.failure).toMatchObject({ code: "reset", sent: false, reused: true });
  });

  test("is all of them when GOAWAY's last stream is 0, whatever its code", async () => {
    for (const code of [errorCode.noError, errorCode.enhanceYourCalm, errorCode.internalError]) {
      const { exchange, upstream } = await answered(({ peer }) => peer.send(goaway(0, code)));
      expect(exchange.failure).toMatchObject({ code: "reset", sent: false, reused: true });
      const [peer] = upstream.peers;
      await upstream.until(() => peer?.ended === true);
    }
  });

  test("that was refused behind its head is a truncated response: both cannot be true", async () => {
    const { exchange } = await answered(({ peer, id }) =>
      peer.send(headers(id, ok), reset(id, errorCode.refusedStream)),
    );
    expect(exchange.failure).toMatchObject({ code: "response_truncated", sent: true });
  });
});

describe("a connection that ends", () => {
  const ends: [string, (request: FrameRequest) => void][] = [
    ["is ended", ({ peer }) => peer.socket.end()],
    ["is reset", ({ peer }) => peer.socket.resetAndDestroy()],
    ["is ended behind GOAWAY", ({ peer, id }) => peer.socket.end(goaway(id))],
    ["is ended behind GOAWAY with an error", ({ peer, id }) => peer.socket.end(goaway(id, errorCode.internalError))],
    ["is ended behind a GOAWAY that names no last stream yet", ({ peer }) => peer.socket.end(goaway(2 ** 31 - 1))],
    ["is ended within a frame's header", ({ peer }) => peer.socket.end(Buffer.from([0, 0]))],
    ["is ended within a frame", ({ peer, id }) => peer.socket.end(headers(id, ok).subarray(0, 11))],
    ["is ended within a header block", ({ peer, id }) => peer.socket.end(headers(id, ok, { endHeaders: false }))],
  ];

  test.each(ends)("before a head and %s is a reset", async (_, end) => {
    const { exchange } = await answered(end);
    expect(exchange.failure).toMatchObject({ code: "reset", sent: true, reused: false });
  });

  test.each(ends)("in a body without a length and %s is a truncated response", async (_, end) => {
    const upstream = await frameServer({ onRequest: ({ peer, id }) => peer.send(headers(id, ok), data(id, "half")) });
    const exchange = ask(h2cTransport(upstream.port), "/");
    await exchange.until(() => exchange.body === "half");
    end([...(upstream.peers[0]?.requests.values() ?? [])][0] as FrameRequest);
    expect((await exchange.ended()).failure).toMatchObject({ code: "response_truncated", sent: true });
  });

  test.each(ends)("behind END_STREAM and %s changes nothing, and the next request has another", async (_, end) => {
    const upstream = await frameServer({
      onRequest: (request) => {
        request.peer.send(respond(request.id, "whole"));
        end(request);
      },
    });
    const transport = h2cTransport(upstream.port);
    expect(await ask(transport, "/1").ended()).toMatchObject({ phase: "complete", body: "whole" });
    await upstream.until(() => upstream.peers[0]?.ended === true || upstream.peers[0]?.socket.destroyed === true);
    expect(await ask(transport, "/2").ended()).toMatchObject({ phase: "complete", body: "whole" });
    expect(upstream.peers).toHaveLength(2);
  });

  test("fails all of its streams, each once", async () => {
    const upstream = await frameServer({ onRequest: ({ peer, id }) => id === 7 && peer.socket.end() });
    const transport = h2cTransport(upstream.port);
    const first = ask(transport, "/1");
    await first.until(() => first.phase === "connected");
    const all = [first, ...["/2", "/3", "/4"].map((path) => ask(transport, path))];
    for (const exchange of all) {
      expect((await exchange.ended()).failure).toMatchObject({ code: "reset", sent: true, reused: false });
    }
    expect(upstream.peers).toHaveLength(1);
  });
});

describe("a stale connection", () => {
  test("that ends when the next request has been sent is reported as such", async () => {
    const upstream = await frameServer({
      onRequest: ({ peer, id }) => (id === 1 ? peer.send(respond(1)) : peer.socket.destroy()),
    });
    const transport = h2cTransport(upstream.port);
    await ask(transport, "/1").ended();
    expect((await ask(transport, "/2").ended()).failure).toMatchObject({ code: "reset", sent: true, reused: true });
    // A connection of its own is none.
    expect(await ask(transport, "/3", { freshConnection: true }).ended()).toMatchObject({ phase: "complete" });
  });

  test("that ends before the next request is sent costs nothing", async () => {
    const upstream = await frameServer({ onRequest: ({ peer, id }) => peer.send(respond(id), goaway(id)) });
    const transport = h2cTransport(upstream.port);
    for (let count = 0; count < 20; count++) {
      expect(await ask(transport, "/", { method: "POST", body: "x" }).ended()).toMatchObject({ phase: "complete" });
    }
    expect(upstream.peers).toHaveLength(20);
  });

  test("is none when the upstream has sent something in answer", async () => {
    const upstream = await frameServer({
      onRequest: ({ peer, id }) =>
        id === 1 ? peer.send(respond(1)) : peer.socket.end(headers(id, [[":status", "103"]])),
    });
    const transport = h2cTransport(upstream.port);
    await ask(transport, "/1").ended();
    expect((await ask(transport, "/2").ended()).failure).toMatchObject({ code: "reset", reused: false });
  });

  test("is what an exchange that asks for a fresh one does not get", async () => {
    const upstream = await frameServer({ onRequest: ({ peer, id }) => peer.send(respond(id)) });
    const transport = h2cTransport(upstream.port);
    await ask(transport, "/1").ended();
    await ask(transport, "/2", { freshConnection: true }).ended();
    expect(upstream.peers.map(({ requests }) => requests.size)).toEqual([1, 1]);
  });
});
