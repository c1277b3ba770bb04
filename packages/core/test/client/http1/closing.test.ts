import { describe, expect, test } from "vitest";
import { turns, until } from "../../support/event-loop.ts";
import { getRequest, type HandedExchange, ownConnection, respond } from "../../support/own-connection.ts";
import { saysClose } from "../../support/raw-client.ts";

describe("the last request of a connection", () => {
  test.each([
    ["asks for the end", getRequest("/", "Connection: close")],
    ["asks for the end in a list", getRequest("/", "Connection: keep-alive, CLOSE")],
    ["is one of HTTP/1.0", "GET / HTTP/1.0\r\n\r\n"],
  ])("%s: its response says so, and nothing behind it is read", async (_, bytes) => {
    const { client, handed } = await ownConnection({}, respond);
    client.socket.write(bytes + getRequest("/behind"));
    await client.when(() => client.how !== undefined, 5_000);
    const [response, ...others] = client.read([]).responses;
    expect([client.how, response !== undefined && saysClose(response), others.length]).toEqual(["end", true, 0]);
    expect(handed.length).toBe(1);
  });

  test("is the one that reaches the limit of requests per connection", async () => {
    const { client, handed } = await ownConnection({ limits: { requestsPerConnection: 3 } }, respond);
    client.socket.write(getRequest().repeat(5));
    await client.when(() => client.how !== undefined, 5_000);
    expect(client.read([]).responses.map(saysClose)).toEqual([false, false, true]);
    expect(handed.length).toBe(3);
  });

  test("is the next one while the connection drains", async () => {
    const { client, handed, connection } = await ownConnection({}, respond);
    client.socket.write(getRequest());
    await until(() => client.read([]).responses.length === 1);
    connection.closeAfterResponses();
    client.socket.write(getRequest().repeat(2));
    await client.when(() => client.how !== undefined, 5_000);
    expect([client.read([]).responses.map(saysClose), handed.length]).toEqual([[false, true], 2]);
  });
});

test("a connection that drains sends the responses to all requests that it has read", async () => {
  const { client, handed, connection, arrived } = await ownConnection();
  client.socket.write(getRequest().repeat(3));
  await arrived(3);
  connection.closeAfterResponses();
  client.socket.write(getRequest("/late"));
  await turns(20);
  // The proxy asks for the end with each of them.
  for (const one of handed) respond(one, "ok", "Connection", "close");
  await client.when(() => client.how !== undefined, 5_000);
  expect(client.read([]).responses.map(saysClose)).toEqual([false, false, true]);
  expect(handed.map(({ handler }) => handler.closed)).toEqual([true, true, true]);
});

test("a refused connection refuses its first request, and reads no other", async () => {
  const { client, handed } = await ownConnection({ refusal: "connection_limit" }, (one) => {
    one.exchange.begin(503, "", ["Content-Length", "0"], true);
    one.exchange.end(undefined, []);
  });
  client.socket.write(getRequest().repeat(2));
  await client.when(() => client.how !== undefined, 5_000);
  expect(handed.map(({ kind, code }) => [kind, code])).toEqual([["request", "connection_limit"]]);
  expect(client.read([]).responses.map(({ status }) => status)).toEqual([503]);
});

test("an unused connection is closed, one with a request or a part of one is not", async () => {
  const unused = await ownConnection();
  unused.connection.closeIfUnused();
  await unused.client.when(() => unused.client.how !== undefined, 5_000);
  expect(unused.client.how).toBe("end");
  for (const bytes of [getRequest(), "GET"]) {
    const { client, connection } = await ownConnection();
    client.socket.write(bytes);
    await turns(20);
    connection.closeIfUnused();
    await turns(20);
    expect(client.how).toBeUndefined();
  }
});

test("a connection is idle without a request in flight, whose response may still be on its way", async () => {
  const { client, connection, arrived } = await ownConnection();
  expect([connection.idle, connection.requested]).toEqual([true, false]);
  client.socket.write(getRequest());
  const one = await arrived(1);
  expect([connection.idle, connection.requested]).toEqual([false, true]);
  respond(one);
  expect(connection.idle).toBe(false);
  await until(() => one.handler.closed !== undefined);
  expect(connection.idle).toBe(true);
});

describe("a response that does not fit its head", () => {
  const acts: [string, (one: HandedExchange) => void][] = [
    ["longer, by a write", ({ exchange }) => void exchange.write("toolong")],
    ["longer, by its end", ({ exchange }) => exchange.end("toolong", [])],
    ["shorter, by its end", ({ exchange }) => exchange.end("ok", [])],
    [
      "shorter, in parts",
      ({ exchange }) => {
        exchange.write("ok");
        exchange.end(undefined, []);
      },
    ],
  ];
  test.each(acts)("is cut off: %s", async (_, act) => {
    const { client, arrived } = await ownConnection();
    client.socket.write(getRequest());
    const one = await arrived(1);
    one.exchange.begin(200, "OK", ["Content-Length", "5"], false);
    act(one);
    await client.when(() => client.how !== undefined, 5_000);
    expect(client.read([]).responses.some(({ complete }) => complete)).toBe(false);
    await until(() => one.handler.closed !== undefined);
    expect([one.handler.closed, one.handler.violations]).toEqual([false, []]);
  });

  test.each([
    ["a line end in a value", ["X", "a\r\nEvil: 1"]],
    ["a line feed in a value", ["X", "a\nEvil: 1"]],
    ["a NUL in a value", ["X", "a\0"]],
    ["a character beyond Latin-1", ["X", "\u20ac"]],
    ["a space in a name", ["X Y", "1"]],
    ["an empty name", ["", "1"]],
    ["a line end in a name", ["X: 1\r\nY", "1"]],
  ])("throws, and nothing of it is sent: %s", async (_, headers) => {
    const { client, arrived } = await ownConnection();
    client.socket.write(getRequest());
    const one = await arrived(1);
    expect(() => one.exchange.begin(200, "OK", headers, false)).toThrow(TypeError);
    expect(one.exchange.status).toBe(0);
    one.exchange.begin(502, "", ["Content-Length", "0"], false);
    one.exchange.end(undefined, []);
    await until(() => client.read([]).responses.length === 1);
    expect(client.read([]).responses[0]?.status).toBe(502);
  });
});

test("a response over HTTP/1.0 without a length ends with its connection, and is reset when it is cut off", async () => {
  for (const cut of [false, true]) {
    const { client, arrived } = await ownConnection();
    client.socket.write("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const { exchange } = await arrived(1);
    exchange.begin(200, "OK", [], false);
    exchange.write("hello");
    await until(() => client.text.endsWith("hello"));
    if (cut) exchange.cutOff();
    else exchange.end(undefined, []);
    await client.when(() => client.how !== undefined, 5_000);
    expect([client.how, client.text.includes("Connection: close")]).toEqual([cut ? "reset" : "end", true]);
  }
});

test("a response that was sent is reported as sent, though the next one on its connection was cut off before", async () => {
  const { client, arrived } = await ownConnection();
  client.socket.write(getRequest().repeat(2));
  const [first, second] = [await arrived(1), await arrived(2)];
  second.exchange.cutOff();
  first.exchange.begin(200, "OK", ["Content-Length", "2"], false);
  first.exchange.end(Buffer.from("ok"), []);
  await client.when(() => client.how !== undefined, 5_000);
  await until(() => second.handler.closed !== undefined && first.handler.closed !== undefined);
  expect([first.handler.closed, second.handler.closed]).toEqual([true, false]);
  expect(client.read([]).responses.map(({ body }) => body.toString())).toEqual(["ok"]);
});

test("a request behind a response that closes the connection is closed unfinished", async () => {
  const { client, arrived } = await ownConnection();
  client.socket.write(getRequest().repeat(2));
  const [first, second] = [await arrived(1), await arrived(2)];
  respond(second);
  respond(first, "ok", "Connection", "close");
  await client.when(() => client.how !== undefined, 5_000);
  await until(() => second.handler.closed !== undefined);
  expect([first.handler.closed, second.handler.closed]).toEqual([true, false]);
  expect(client.read([]).responses.length).toBe(1);
});

test("a response that has ended is cut off while its client does not take it", async () => {
  const { client, arrived } = await ownConnection();
  client.socket.pause();
  client.socket.write(getRequest());
  const { exchange, handler } = await arrived(1);
  exchange.begin(200, "OK", ["Content-Length", "32000000"], false);
  exchange.end(Buffer.alloc(32_000_000), []);
  await turns(20);
  expect(handler.closed).toBeUndefined();
  exchange.cutOff();
  await until(() => handler.closed !== undefined);
  client.socket.resume();
  await client.when(() => client.how !== undefined, 5_000);
  expect([handler.closed, handler.violations, client.read([]).responses[0]?.complete]).toEqual([false, [], false]);
});

test("a handshake that waits for an earlier response is handed over refused when the connection closes", async () => {
  const { client, handed, arrived } = await ownConnection();
  client.socket.write(`${getRequest()}${getRequest("/ws", "Connection: Upgrade", "Upgrade: websocket")}`);
  const first = await arrived(1);
  await turns(10);
  client.socket.resetAndDestroy();
  await until(() => first.handler.closed !== undefined);
  const second = await arrived(2);
  expect([handed.length, second.kind, second.code, second.exchange.target]).toEqual([
    2,
    "handshake",
    "client_aborted",
    "/ws",
  ]);
  await until(() => second.handler.closed !== undefined);
  expect([first.handler.closed, second.handler.closed, second.handler.violations]).toEqual([false, false, []]);
});
