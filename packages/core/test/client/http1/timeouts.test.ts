import { expect, test } from "vitest";
import { turns, until } from "../../support/event-loop.ts";
import { getRequest, ownConnection, respond } from "../../support/own-connection.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const limits = { requestHeadersMs: 1_000, keepAliveMs: 5_000, minBodyRate: 100 };

/** Advances in steps that the ticker takes for punctual, so that no deadline is extended. */
async function pass(clock: VirtualClock, ms: number): Promise<void> {
  clock.advance(ms);
  await turns(5);
}

test("a head that is late is refused with 408, with what is known of its request line", async () => {
  const clock = new VirtualClock();
  const { client, arrived } = await ownConnection({ clock, limits });
  client.socket.write("GET /late HTTP/1.1\r\nHost: h\r\n");
  await turns(20);
  await pass(clock, 900);
  client.socket.write("X: 1\r\n");
  await turns(20);
  await pass(clock, 200);
  const { kind, code, exchange, handler } = await arrived(1);
  expect([kind, code, exchange.method, exchange.target, exchange.httpVersion]).toEqual([
    "malformed",
    "request_timeout",
    "GET",
    "/late",
    "1.1",
  ]);
  exchange.begin(408, "Request Timeout", ["Content-Length", "0"], true);
  exchange.end(undefined, []);
  await client.when(() => client.how !== undefined, 5_000);
  expect([client.how, client.read([]).responses[0]?.status]).toEqual(["end", 408]);
  expect([handler.closed, handler.violations]).toEqual([true, []]);
});

test("a head that breaks off in its request line has no method and no version", async () => {
  const clock = new VirtualClock();
  const { client, arrived } = await ownConnection({ clock, limits });
  client.socket.write("GET /la");
  await turns(20);
  await pass(clock, 1_100);
  const { exchange } = await arrived(1);
  expect([exchange.method, exchange.target, exchange.httpVersion]).toEqual(["", "", ""]);
  exchange.cutOff();
});

test("a connection that sends nothing is closed without a response", async () => {
  const clock = new VirtualClock();
  const { client, handed } = await ownConnection({ clock, limits });
  await pass(clock, 900);
  expect(client.how).toBeUndefined();
  await pass(clock, 200);
  await client.when(() => client.how !== undefined, 5_000);
  expect([client.how, client.text, handed.length]).toEqual(["end", "", 0]);
});

test("a kept connection is closed when no further request arrives", async () => {
  const clock = new VirtualClock();
  const { client, handed } = await ownConnection({ clock, limits }, respond);
  for (const count of [1, 2]) {
    client.socket.write(getRequest());
    await until(() => client.read([]).responses.length === count);
    await turns(5);
    await pass(clock, 4_900);
  }
  expect(client.how).toBeUndefined();
  await pass(clock, 200);
  await client.when(() => client.how !== undefined, 5_000);
  expect([client.how, handed.length]).toEqual(["end", 2]);
});

test("a request in flight has no deadline", async () => {
  const clock = new VirtualClock();
  const { client, arrived } = await ownConnection({ clock, limits });
  client.socket.write(getRequest());
  const one = await arrived(1);
  await pass(clock, 3_600_000);
  expect(client.how).toBeUndefined();
  respond(one);
  await until(() => client.read([]).responses.length === 1);
});

test("the head of a pipelined request has its deadline, and its 408 is sent in its turn", async () => {
  const clock = new VirtualClock();
  const { client, arrived } = await ownConnection({ clock, limits });
  client.socket.write(`${getRequest("/first")}GET /second`);
  const first = await arrived(1);
  await turns(10);
  await pass(clock, 1_100);
  const second = await arrived(2);
  second.exchange.begin(408, "", ["Content-Length", "0"], true);
  second.exchange.end(undefined, []);
  await turns(10);
  expect(client.text).toBe("");
  respond(first);
  await client.when(() => client.how !== undefined, 5_000);
  expect(client.read([]).responses.map(({ status }) => status)).toEqual([200, 408]);
});

const upload = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n";

test("a body of known length that is too slow is a fault", async () => {
  const clock = new VirtualClock();
  const { client, arrived } = await ownConnection({ clock, limits });
  client.socket.write(upload);
  const { exchange, handler } = await arrived(1);
  exchange.readBody();
  // 5 seconds, and one for each 100 bytes.
  client.socket.write("x".repeat(200));
  await until(() => handler.body.length === 200);
  await pass(clock, 6_900);
  expect(handler.faults).toEqual([]);
  await pass(clock, 200);
  await until(() => handler.faults.length > 0);
  expect(handler.faults).toEqual(["request_timeout"]);
  exchange.begin(408, "", ["Content-Length", "0"], true);
  exchange.end(undefined, []);
  await client.when(() => client.how !== undefined, 5_000);
  expect(client.read([]).responses[0]?.status).toBe(408);
});

test("the time in which a body is not read does not count, nor that before its 100", async () => {
  const clock = new VirtualClock();
  const { client, arrived } = await ownConnection({ clock, limits });
  client.socket.write(upload);
  const { exchange, handler } = await arrived(1);
  await pass(clock, 60_000);
  exchange.readBody();
  await pass(clock, 4_000);
  exchange.pauseBody();
  await pass(clock, 60_000);
  exchange.readBody();
  await pass(clock, 900);
  expect(handler.faults).toEqual([]);
  await pass(clock, 200);
  await until(() => handler.faults.length > 0);
  exchange.cutOff();
});

test("a body of unknown length has no lowest rate", async () => {
  const clock = new VirtualClock();
  const { client, arrived } = await ownConnection({ clock, limits });
  client.socket.write("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  const { exchange, handler } = await arrived(1);
  exchange.readBody();
  await pass(clock, 60_000);
  expect(handler.faults).toEqual([]);
  exchange.cutOff();
});

test("the rest of a body is discarded behind its response at the lowest rate, or the connection closes", async () => {
  const clock = new VirtualClock();
  const { client, arrived, handed } = await ownConnection({ clock, limits });
  client.socket.write(upload);
  const one = await arrived(1);
  one.exchange.discardBody();
  respond(one);
  await until(() => one.handler.closed === true);
  client.socket.write("x".repeat(1_000));
  await turns(20);
  await pass(clock, 14_900);
  expect(client.how).toBeUndefined();
  await pass(clock, 200);
  await client.when(() => client.how !== undefined, 5_000);
  expect([client.read([]).responses.length, handed.length]).toEqual([1, 1]);
});

test("a client that goes on sending behind the last response is cut off in time", async () => {
  const clock = new VirtualClock();
  const { client, arrived, connection } = await ownConnection({ clock, limits });
  client.socket.write(upload);
  const { exchange } = await arrived(1);
  exchange.begin(413, "", ["Content-Length", "0"], true);
  exchange.end(undefined, []);
  await until(() => client.how === "end");
  client.socket.write("more");
  await turns(20);
  expect(connection.socket.destroyed).toBe(false);
  await pass(clock, 2_100);
  expect(connection.socket.destroyed).toBe(true);
});

test.each([100, 0])("the rest of a body comes in time behind the response, at a rate of %i", async (minBodyRate) => {
  const clock = new VirtualClock();
  const { client } = await ownConnection({ clock, limits: { ...limits, minBodyRate } }, respond);
  client.socket.write("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  await until(() => client.read([]).responses.length === 1);
  await turns(5);
  await pass(clock, 4_900);
  expect(client.how).toBeUndefined();
  await pass(clock, 200);
  await client.when(() => client.how !== undefined, 5_000);
  expect([client.how, client.read([]).responses.length]).toEqual(["end", 1]);
});
