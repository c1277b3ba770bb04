import { expect, test } from "vitest";
import { turns, until } from "../../support/event-loop.ts";
import { getRequest, type OwnConnection, ownConnection, respond } from "../../support/own-connection.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const body = "x".repeat(8_000);

/** Sends requests in packets of their own, and reads no response, until the server stops to read. Returns their number. */
async function fill({ client, handed }: OwnConnection): Promise<number> {
  client.socket.pause();
  let sent = 0;
  for (let unread = 0; unread < 20 && sent < 10_000; sent++) {
    client.socket.write(getRequest());
    await turns(3);
    unread = sent + 1 - handed.length;
  }
  return sent;
}

test("a client that reads no response gets no more than what its connection holds", async () => {
  const own = await ownConnection({}, (one) => respond(one, body));
  const sent = await fill(own);
  expect(sent).toBeLessThan(10_000);
  expect(own.connection.socket.writableLength).toBeLessThan(1_000_000);
  own.client.socket.resume();
  await until(() => own.client.read([]).responses.length === sent);
  expect(own.handed.length).toBe(sent);
});

test("a client that reads none of its complete responses for too long is disconnected", async () => {
  const clock = new VirtualClock();
  const own = await ownConnection({ clock, limits: { sendMs: 1_000 } }, (one) => respond(one, body));
  await fill(own);
  clock.advance(900);
  await turns(5);
  expect(own.connection.socket.destroyed).toBe(false);
  clock.advance(200);
  await until(() => own.connection.socket.destroyed);
  await until(() => own.handed.every(({ handler }) => handler.closed !== undefined));
  expect(own.handed.at(-1)?.handler.closed).toBe(false);
});

test("a client that reads again in time keeps its connection", async () => {
  const clock = new VirtualClock();
  const own = await ownConnection({ clock, limits: { sendMs: 1_000, keepAliveMs: 10_000 } }, (one) =>
    respond(one, body),
  );
  const sent = await fill(own);
  clock.advance(900);
  await turns(5);
  own.client.socket.resume();
  await until(() => own.client.read([]).responses.length === sent);
  clock.advance(900);
  await turns(5);
  expect(own.connection.socket.destroyed).toBe(false);
});

test("the send timeout of a server applies to a response that is being sent", async () => {
  const clock = new VirtualClock();
  const { client, arrived, connection } = await ownConnection({ clock, limits: { sendMs: 1_000 } });
  client.socket.write(getRequest());
  const { exchange, handler } = await arrived(1);
  client.socket.pause();
  exchange.begin(200, "OK", [], false);
  while (exchange.write(Buffer.alloc(60_000))) await turns(1);
  await turns(5);
  clock.advance(1_100);
  await until(() => connection.socket.destroyed);
  await until(() => handler.closed !== undefined);
  expect(handler.closed).toBe(false);
});
