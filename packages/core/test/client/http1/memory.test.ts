import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import type { ClientExchange, ClientHandler } from "../../../src/client/client-exchange.ts";
import { until } from "../../support/event-loop.ts";
import { heldBytes } from "../../support/memory.ts";
import { ownServer } from "../../support/own-server.ts";

/** Reads the body, then responds. */
class Echo implements ClientHandler {
  readonly #exchange: ClientExchange;
  #bytes = 0;

  constructor(exchange: ClientExchange) {
    this.#exchange = exchange;
    exchange.start(this);
    exchange.readBody();
  }

  onBody(chunk: Buffer): void {
    this.#bytes += chunk.length;
  }

  onBodyEnd(): void {
    const body = String(this.#bytes).padEnd(2_000, "x");
    this.#exchange.begin(200, "OK", ["Content-Length", String(body.length)], false);
    this.#exchange.end(body, []);
  }

  onFault(): void {
    this.#exchange.cutOff();
  }

  onWritable(): void {}
  onClosed(): void {}
}

test("memory stays where it was over thousands of requests and hundreds of connections", async () => {
  const hand = (exchange: ClientExchange) => void new Echo(exchange);
  const server = await ownServer({ onRequest: hand, onHandshake: hand, onMalformed: hand });
  onTestFinished(server.close);
  const get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  const put = `PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3000\r\n\r\n${"x".repeat(3_000)}`;
  const chunks = "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  const ends = ["", "GET / HTTP/1.1\r\nHost", "broken\r\n\r\n", `${put.slice(0, -1_000)}`];
  const talk = async (end: string) => {
    const socket = connect({ port: server.port, host: "127.0.0.1" });
    let received = 0;
    socket
      .on("error", () => {})
      .on("data", (chunk: Buffer) => {
        received += chunk.length;
      });
    for (let round = 1; round <= 3; round++) {
      socket.write((get + put + chunks).repeat(10));
      await until(() => received > round * 30 * 2_000);
    }
    socket.write(end);
    socket.end();
  };
  const round = async () => {
    for (let count = 0; count < 15; count++) await Promise.all(ends.map(talk));
    await until(() => server.connections.size === 0);
  };
  await round();
  const before = heldBytes();
  await round();
  await round();
  expect(heldBytes() - before).toBeLessThan(1_000_000);
});
