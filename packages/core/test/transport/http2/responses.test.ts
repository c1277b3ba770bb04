import { describe, expect, test } from "vitest";
import { errorCode, frameType } from "../../../src/http2/protocol.ts";
import { turns } from "../../support/event-loop.ts";
import { type Ask, ask } from "../../support/exchanges.ts";
import { data, type Fields, frameServer, headers, respond } from "../../support/frame-server.ts";
import { h2cTransport } from "../../support/http2-transports.ts";

const ok = [[":status", "200"]] as const;

/** What becomes of a response with this head, and of a body when there is one. */
async function responded(head: Fields, options: Ask & { readonly trailers?: Fields; readonly data?: string } = {}) {
  const { trailers, data: body = "body", ...request } = options;
  const upstream = await frameServer({
    onRequest: ({ peer, id }) => {
      if (id > 1) return peer.send(respond(id, "fine"));
      peer.send(headers(id, head, { endStream: body === "" && trailers === undefined }));
      if (body !== "") peer.send(data(id, body, trailers === undefined));
      if (trailers !== undefined) peer.send(headers(id, trailers, { endStream: true }));
    },
  });
  const transport = h2cTransport(upstream.port);
  const exchange = await ask(transport, "/", request).ended();
  return { exchange, upstream, transport };
}

describe("a malformed head is an invalid response, and nothing of it is passed on", () => {
  test.each<[string, Fields]>([
    ["no status", [["x", "y"]]],
    ["nothing at all", []],
    [
      "two statuses",
      [
        [":status", "200"],
        [":status", "200"],
      ],
    ],
    [
      "a status behind a field",
      [
        ["x", "y"],
        [":status", "200"],
      ],
    ],
    ["a pseudo-field of requests", [...ok, [":path", "/"]]],
    ["an unknown pseudo-field", [...ok, [":other", "x"]]],
    ["status 000", [[":status", "000"]]],
    ["status 099", [[":status", "099"]]],
    ["status 20", [[":status", "20"]]],
    ["status 2000", [[":status", "2000"]]],
    ["status +20", [[":status", "+20"]]],
    ["status 2e2", [[":status", "2e2"]]],
    ["an empty status", [[":status", ""]]],
    ["status 200 with a space", [[":status", "200 "]]],
    ["capitals in a name", [...ok, ["X-Up", "y"]]],
    ["an empty name", [...ok, ["", "y"]]],
    ["a space in a name", [...ok, ["x y", "z"]]],
    ["a colon in a name", [...ok, ["x:y", "z"]]],
    ["a line break in a name", [...ok, ["x\r\ny", "z"]]],
    ["NUL in a name", [...ok, ["x\0", "z"]]],
    ["an 8-bit byte in a name", [...ok, ["x\xfc", "z"]]],
    ["CR in a value", [...ok, ["x", "a\rb"]]],
    ["LF in a value", [...ok, ["x", "a\nb"]]],
    ["CR LF in a value", [...ok, ["x", "a\r\nset-cookie: b"]]],
    ["NUL in a value", [...ok, ["x", "a\0b"]]],
    ["another control character in a value", [...ok, ["x", "a\x1bb"]]],
    ["DEL in a value", [...ok, ["x", "a\x7fb"]]],
    ["a space in front of a value", [...ok, ["x", " a"]]],
    ["a tab behind a value", [...ok, ["x", "a\t"]]],
    ["Connection", [...ok, ["connection", "close"]]],
    ["Keep-Alive", [...ok, ["keep-alive", "timeout=5"]]],
    ["Proxy-Connection", [...ok, ["proxy-connection", "close"]]],
    ["Transfer-Encoding", [...ok, ["transfer-encoding", "chunked"]]],
    ["Upgrade", [...ok, ["upgrade", "h2c"]]],
    ["TE", [...ok, ["te", "gzip"]]],
    ["two lengths", [...ok, ["content-length", "4"], ["content-length", "4"]]],
    ["a list of lengths", [...ok, ["content-length", "4, 4"]]],
    ["a length that is no number", [...ok, ["content-length", "4x"]]],
    ["a negative length", [...ok, ["content-length", "-4"]]],
    ["a length that cannot be counted", [...ok, ["content-length", "9007199254740993"]]],
    ["an empty length", [...ok, ["content-length", ""]]],
  ])("%s", async (_, head) => {
    const { exchange, upstream, transport } = await responded(head);
    expect(exchange).toMatchObject({ phase: "failed", status: 0 });
    expect(exchange.failure).toMatchObject({ code: "invalid_response", sent: true, reused: false });
    await upstream.until(() => upstream.peers[0]?.resetCode(1) === errorCode.protocolError);
    expect(await ask(transport, "/").ended()).toMatchObject({ phase: "complete", body: "fine" });
    expect(upstream.peers).toHaveLength(1);
  });

  test("in an early hint as well", async () => {
    const upstream = await frameServer({
      onRequest: ({ peer, id }) =>
        peer.send(
          headers(id, [
            [":status", "103"],
            ["Link", "x"],
          ]),
          respond(id, "whole"),
        ),
    });
    const exchange = await ask(h2cTransport(upstream.port), "/").ended();
    expect(exchange.failure?.code).toBe("invalid_response");
    expect(exchange.informations).toEqual([]);
  });
});

describe("malformed trailers break a response off", () => {
  test.each<[string, Fields]>([
    ["CR LF in a value", [["x", "a\r\nb"]]],
    ["capitals in a name", [["X", "a"]]],
    ["a pseudo-field", [[":status", "200"]]],
    ["Connection", [["connection", "close"]]],
    ["Transfer-Encoding", [["transfer-encoding", "chunked"]]],
    ["more than are taken", Array.from({ length: 201 }, (_, index) => [`x-${index}`, "y"] as const)],
  ])("%s", async (name, trailers) => {
    const { exchange } = await responded(ok, { trailers });
    expect(exchange).toMatchObject({ phase: "failed", body: "body" });
    const code = name.startsWith("more") ? "response_headers_too_large" : "response_truncated";
    expect(exchange.failure).toMatchObject({ code, sent: true });
  });
});

describe("a response", () => {
  test.each(["200", "204", "304", "404", "418", "599", "600", "999"])("may have status %s", async (status) => {
    const { exchange } = await responded([[":status", status]], { data: "" });
    expect(exchange).toMatchObject({ phase: "complete", status: Number(status), length: 0 });
  });

  test("keeps order, repetition, 8-bit bytes, and names of JavaScript's object properties", async () => {
    const fields: Fields = [
      ["set-cookie", "a"],
      ["x", "J\xfcr\xff"],
      ["__proto__", "p"],
      ["set-cookie", "b"],
      ["constructor", "c"],
      ["x-empty", ""],
    ];
    const { exchange } = await responded([...ok, ...fields]);
    expect(exchange.headers).toEqual(fields.flat());
  });

  test("announces its length when it has one", async () => {
    expect((await responded([...ok, ["content-length", "4"]])).exchange).toMatchObject({
      phase: "complete",
      length: 4,
    });
    expect((await responded(ok)).exchange).toMatchObject({ phase: "complete", length: -1 });
    expect((await responded(ok, { data: "" })).exchange).toMatchObject({ phase: "complete", length: 0 });
    expect((await responded([...ok, ["content-length", "0"]], { data: "" })).exchange).toMatchObject({
      phase: "complete",
    });
  });

  test.each([
    ["to HEAD", ok, { method: "HEAD" }],
    ["with status 304", [[":status", "304"]], {}],
    ["with status 204", [[":status", "204"]], {}],
  ] as const)("%s may announce a length that it does not have", async (_, head, options) => {
    const { exchange } = await responded([...head, ["content-length", "1000"]], { ...options, data: "" });
    expect(exchange).toMatchObject({ phase: "complete", length: 0 });
    expect(exchange.headers).toEqual(["content-length", "1000"]);
  });

  test("to HEAD may end with an empty DATA frame", async () => {
    const upstream = await frameServer({ onRequest: ({ peer, id }) => peer.send(headers(id, ok), data(id, "", true)) });
    expect(await ask(h2cTransport(upstream.port), "/", { method: "HEAD" }).ended()).toMatchObject({
      phase: "complete",
    });
  });

  test("may be trailers alone, as gRPC's are when a call fails", async () => {
    const { exchange } = await responded([...ok, ["content-type", "application/grpc"], ["grpc-status", "5"]], {
      data: "",
    });
    expect(exchange).toMatchObject({ phase: "complete", trailers: [], length: 0 });
    expect(exchange.headers).toContain("grpc-status");
  });

  test("has its trailers", async () => {
    const { exchange } = await responded(ok, {
      trailers: [
        ["grpc-status", "0"],
        ["x", "\xff"],
      ],
    });
    expect(exchange).toMatchObject({ phase: "complete", body: "body", trailers: ["grpc-status", "0", "x", "\xff"] });
    // Without any data, too.
    expect((await responded(ok, { data: "", trailers: [["x", "y"]] })).exchange).toMatchObject({
      phase: "complete",
      trailers: ["x", "y"],
    });
  });

  test("may have early hints in front of it; a 100 is dropped", async () => {
    const upstream = await frameServer({
      onRequest: ({ peer, id }) => {
        peer.send(
          headers(id, [[":status", "100"]]),
          headers(id, [
            [":status", "103"],
            ["link", "a"],
          ]),
        );
        peer.send(
          headers(id, [[":status", "102"]]),
          headers(id, [
            [":status", "103"],
            ["link", "b"],
          ]),
          respond(id, "whole"),
        );
      },
    });
    const exchange = await ask(h2cTransport(upstream.port), "/").ended();
    expect(exchange).toMatchObject({ phase: "complete", body: "whole" });
    expect(exchange.informations).toEqual([
      [103, ["link", "a"]],
      [102, []],
      [103, ["link", "b"]],
    ]);
  });

  test("is flushed when its handler has received everything that has arrived", async () => {
    const upstream = await frameServer({
      onRequest: ({ peer, id }) => peer.send(headers(id, ok), data(id, "a"), data(id, "b")),
    });
    const exchange = ask(h2cTransport(upstream.port), "/");
    await exchange.until(() => exchange.flushes > 0 && exchange.body === "ab");
    expect(exchange.flushes).toBe(1);
  });
});

describe("a reader that pauses", () => {
  test("lets the upstream send its window, and the rest when it resumes", async () => {
    const size = 1_000_000;
    const upstream = await frameServer({ onRequest: ({ peer, id }) => peer.send(headers(id, ok)) });
    let take = false;
    const exchange = ask(h2cTransport(upstream.port), "/", { onData: () => take });
    await exchange.until(() => exchange.status === 200);
    const [peer] = upstream.peers;
    const updates = () =>
      peer?.of(frameType.windowUpdate, 1).reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0) ?? 0;
    let sent = 0;
    const window = () => 262_144 + updates() - sent;
    const push = () => {
      for (let room = Math.min(window(), size - sent); room > 0; room -= 16_384) {
        const length = Math.min(room, 16_384);
        peer?.send(data(1, "x".repeat(length), sent + length === size));
        sent += length;
      }
    };
    push();
    await exchange.until(() => exchange.bytes.length === 262_144);
    await turns(20);
    expect(updates()).toBe(0);
    take = true;
    exchange.exchange.resume();
    while (sent < size) {
      await upstream.until(() => window() > 0);
      push();
    }
    expect(await exchange.ended()).toMatchObject({ phase: "complete", bytes: { length: size } });
  });

  test("does not stop the others on its connection", async () => {
    const upstream = await frameServer({
      onRequest: ({ peer, id }) => {
        peer.send(headers(id, ok));
        const pieces = Array.from({ length: 15 }, () => data(id, "x".repeat(16_384)));
        peer.send(...pieces, ...(id <= 81 ? [] : [data(id, "", true)]));
      },
    });
    const transport = h2cTransport(upstream.port);
    const first = ask(transport, "/", { onData: () => false });
    await first.until(() => first.phase !== "waiting");
    // More than the connection's window in all.
    const slow = Array.from({ length: 40 }, () => ask(transport, "/", { onData: () => false }));
    for (const exchange of [first, ...slow]) await exchange.until(() => exchange.bytes.length === 15 * 16_384);
    expect(await ask(transport, "/").ended()).toMatchObject({ phase: "complete" });
    expect(upstream.peers).toHaveLength(1);
    const granted = upstream.peers[0]
      ?.of(frameType.windowUpdate, 0)
      .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);
    expect(granted).toBeGreaterThan(8_388_608);
  });
});
