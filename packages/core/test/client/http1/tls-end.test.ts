import { Duplex } from "node:stream";
import { expect, test } from "vitest";
import { Http1ServerConnection } from "../../../src/client/http1/http1-server-connection.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { RecordingHandler } from "../../contract/client-exchange-harness.ts";
import { until } from "../../support/event-loop.ts";
import { getRequest } from "../../support/own-connection.ts";
import { serverLimits } from "../../support/server-limits.ts";

/** A TLS socket that reports a write when the test says so. As in Node, that is later than the client has received it. */
class TlsEnd extends Duplex {
  readonly encrypted = true;
  written = "";
  report: (() => void) | undefined;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written += chunk.toString("latin1");
    if (this.report === undefined) this.report = done;
    else done();
  }
}

function connect() {
  const socket = new TlsEnd({ allowHalfOpen: true });
  const handlers: RecordingHandler[] = [];
  const hand = (exchange: ConstructorParameters<typeof RecordingHandler>[0]) => {
    const handler = new RecordingHandler(exchange, "exchange");
    handlers.push(handler);
    handler.start();
  };
  new Http1ServerConnection(socket, {
    sink: { onRequest: hand, onHandshake: hand, onMalformed: hand },
    clock: systemClock,
    limits: serverLimits,
    remoteAddress: "127.0.0.1",
    encrypted: true,
    early: undefined,
    refusal: undefined,
    onClosed: () => {},
  });
  return { socket, handlers };
}

test("a TLS client that leaves with its response has received it", async () => {
  const { socket, handlers } = connect();
  socket.push(getRequest());
  await until(() => handlers.length === 1);
  const [handler] = handlers as [RecordingHandler];
  handler.exchange.begin(200, "OK", ["Content-Length", "2"], false);
  handler.exchange.end("ok", []);
  await until(() => socket.written.endsWith("ok"));
  socket.push(null);
  await until(() => socket.readableEnded);
  socket.report?.();
  await until(() => handler.closed !== undefined);
  expect([handler.closed, handler.violations]).toEqual([true, []]);
  await until(() => socket.writableEnded);
});

test("a TLS client that leaves within a response has not received it", async () => {
  const { socket, handlers } = connect();
  socket.push(getRequest());
  await until(() => handlers.length === 1);
  const [handler] = handlers as [RecordingHandler];
  handler.exchange.begin(200, "OK", ["Content-Length", "4"], false);
  handler.exchange.write("ok");
  socket.push(null);
  await until(() => socket.destroyed);
  expect([handler.closed, handler.violations]).toEqual([false, []]);
});
