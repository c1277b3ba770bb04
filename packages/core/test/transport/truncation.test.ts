import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { cert, key } from "../support/certificates.ts";
import { ask, transportTo } from "../support/exchanges.ts";
import { rawUpstream } from "../support/raw-upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const head = "HTTP/1.1 200 OK\r\nX: y\r\n";
const framings: readonly (readonly [name: string, head: string, body: string])[] = [
  ["a length", `${head}Content-Length: 10\r\n\r\n`, "0123456789"],
  ["chunks", `${head}Transfer-Encoding: chunked\r\n\r\n`, "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"],
  ["chunks and trailers", `${head}Transfer-Encoding: chunked\r\n\r\n`, "a\r\n0123456789\r\n0\r\nX: y\r\n\r\n"],
];
const ends: readonly (readonly [name: string, end: (socket: Socket) => void])[] = [
  ["FIN", (socket) => socket.end()],
  ["RST", (socket) => socket.resetAndDestroy()],
];
const places = [
  "at the first byte of the head",
  "in the head",
  "behind the head",
  "in the body",
  "one byte short",
] as const;

function cut(where: (typeof places)[number], framing: string, body: string): string {
  if (where === "at the first byte of the head") return "";
  if (where === "in the head") return framing.slice(0, framing.length / 2);
  if (where === "behind the head") return framing;
  return framing + (where === "in the body" ? body.slice(0, body.length / 2) : body.slice(0, -1));
}

describe.each(framings)("a response framed by %s", (_, framing, body) => {
  describe.each(places)("that breaks off %s", (where) => {
    const sent = cut(where, framing, body);
    const code = sent.length < framing.length ? "reset" : "response_truncated";

    test.each(ends)("with a %s is never complete", async (_end, end) => {
      for (const split of [true, false]) {
        const upstream = await rawUpstream({
          onRequest: ({ socket }) => {
            if (!split) socket.write(sent, "latin1");
            if (!split) return void setImmediate(() => setImmediate(end, socket));
            setImmediate(playBytes, socket, sent, end);
          },
        });
        const exchange = await ask(transportTo(upstream.port), "/").ended();
        expect(exchange).toMatchObject({ phase: "failed", failure: { code, reused: false, sent: true } });
        await upstream.until(() => upstream.open === 0);
      }
    });

    test("with silence ends at the deadline", async () => {
      const clock = new VirtualClock();
      const upstream = await rawUpstream({ onRequest: ({ socket }) => socket.write(sent, "latin1") });
      const timeouts = { headers: "2s", idle: "3s" };
      const transport = transportTo(upstream.port, { runtime: { clock }, timeouts });
      const marker = transportTo(upstream.port, { runtime: { clock }, timeouts });
      const exchange = ask(transport, "/");
      await upstream.until(() => upstream.requests.length === 1);
      // What another connection can read by now has been read from the first one too.
      const other = ask(marker, "/");
      await upstream.until(() => upstream.requests.length === 2);
      if (sent.length >= framing.length)
        await Promise.all([exchange, other].map((one) => one.until(() => one.status === 200)));
      clock.advance(10_000);
      expect((await exchange.ended()).failure).toMatchObject({
        code: sent.length < framing.length ? "headers_timeout" : "response_idle_timeout",
        sent: true,
      });
      await Promise.all([other.ended(), upstream.until(() => upstream.open === 0)]);
    });
  });
});

describe("a response that lasts until the upstream ends", () => {
  test("is complete with a FIN, whatever its bytes", async () => {
    for (const body of ["", "a", "0123456789"]) {
      const upstream = await rawUpstream({ onRequest: ({ socket }) => socket.end(`${head}\r\n${body}`) });
      const exchange = await ask(transportTo(upstream.port), "/").ended();
      expect(exchange).toMatchObject({ phase: "complete", body });
      await upstream.until(() => upstream.open === 0);
    }
  });

  test("is not complete with a RST", async () => {
    for (const body of ["", "a", "0123456789"]) {
      const upstream = await rawUpstream({
        onRequest: ({ socket }) => {
          socket.write(`${head}\r\n${body}`);
          setImmediate(() => setImmediate(() => socket.resetAndDestroy()));
        },
      });
      const exchange = await ask(transportTo(upstream.port), "/").ended();
      expect(exchange).toMatchObject({ phase: "failed", failure: { code: "response_truncated" } });
    }
  });

  test.each([
    ["", {}, {}],
    [" over TLS", { tls: { cert, key } }, { address: { tls: true, hostname: "localhost" }, tls: { ca: cert } }],
  ])("is not complete with a RST that comes together with its last bytes%s", async (_, script, to) => {
    for (const body of ["", "a", "0123456789", "a".repeat(100_000)]) {
      const upstream = await rawUpstream({
        ...script,
        // Both are in the kernel before other code of this process can read.
        onRequest: ({ socket }) => void socket.write(`${head}\r\n${body}`, () => reset(socket)),
      });
      const exchange = await ask(transportTo(upstream.port, to), "/").ended();
      const code = exchange.status === 200 ? "response_truncated" : "reset";
      expect(exchange).toMatchObject({ phase: "failed", failure: { code } });
    }
  });

  test("is not begun by a FIN in its head", async () => {
    const upstream = await rawUpstream({ onRequest: ({ socket }) => socket.end(head) });
    expect((await ask(transportTo(upstream.port), "/").ended()).failure).toMatchObject({ code: "reset" });
  });
});

test("a malformed body is reported as one that broke off", async () => {
  const upstream = await rawUpstream({
    onRequest: ({ socket }) => socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX`),
  });
  const exchange = await ask(transportTo(upstream.port), "/").ended();
  expect(exchange).toMatchObject({ status: 200, body: "hello", failure: { code: "response_truncated" } });
  await upstream.until(() => upstream.open === 0);
});

test.each([
  ["nothing of a response", "", "reset", true],
  ["a byte of a response", "H", "reset", false],
  ["an informational response", "HTTP/1.1 103 Hints\r\n\r\n", "reset", false],
])(
  "an end after %s on a used connection: is it reported as a race with the upstream's keep-alive?",
  async (_, sent, code, reused) => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({
      onRequest: ({ socket, index }) => {
        if (index === 0) socket.write(`${head}Content-Length: 0\r\n\r\n`);
        else socket.end(sent);
      },
    });
    const transport = transportTo(upstream.port, { runtime: { clock } });
    await ask(transport, "/1").ended();
    clock.advance(10);
    expect((await ask(transport, "/2").ended()).failure).toMatchObject({ code, reused, sent: true });
    expect(upstream.sockets).toHaveLength(1);
  },
);

/** One byte in each turn of the event loop. */
function playBytes(socket: Socket, bytes: string, end: (socket: Socket) => void): void {
  if (bytes === "") return end(socket);
  socket.write(bytes.slice(0, 1), "latin1");
  setImmediate(playBytes, socket, bytes.slice(1), end);
}

/** Of a connection over TLS, the one underneath. */
function reset(socket: Socket & { readonly _parent?: Socket }): void {
  (socket._parent ?? socket).resetAndDestroy();
}
