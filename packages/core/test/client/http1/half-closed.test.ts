import { describe, expect, test } from "vitest";
import { turns, until } from "../../support/event-loop.ts";
import { getRequest, ownConnection, respond } from "../../support/own-connection.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const post = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n";

describe("a client that ends its side behind its request", () => {
  test.each([
    ["without a body", getRequest()],
    ["with a body", `${post}hello`],
    ["over HTTP/1.0", "GET / HTTP/1.0\r\n\r\n"],
  ])("receives its response, then the end: %s", async (_, bytes) => {
    const { client, arrived } = await ownConnection();
    client.socket.end(bytes);
    const one = await arrived(1);
    await turns(30);
    respond(one);
    await client.when(() => client.how !== undefined, 5_000);
    expect([client.how, client.read([]).responses.map(({ body }) => body.toString())]).toEqual(["end", ["ok"]]);
    expect([one.handler.closed, one.handler.violations]).toEqual([true, []]);
  });

  test("receives the responses to all its requests", async () => {
    const { client, handed } = await ownConnection({}, respond);
    client.socket.end(getRequest().repeat(100));
    await client.when(() => client.how !== undefined, 5_000);
    expect([client.how, client.read([]).responses.length, handed.length]).toEqual(["end", 100, 100]);
  });

  test("receives a long response as a whole", async () => {
    const { client, arrived } = await ownConnection();
    client.socket.end(getRequest());
    const { exchange } = await arrived(1);
    await turns(30);
    exchange.begin(200, "OK", ["Content-Length", "4000000"], false);
    exchange.write(Buffer.alloc(2_000_000));
    await turns(30);
    exchange.end(Buffer.alloc(2_000_000), []);
    await client.when(() => client.how !== undefined, 5_000);
    expect([client.how, client.read([]).responses[0]?.body.length]).toEqual(["end", 4_000_000]);
  });
});

test("a client that ends within a request has left, and receives the responses to earlier ones", async () => {
  const { client, arrived } = await ownConnection();
  client.socket.end(`${getRequest()}${post}he`);
  const [first, second] = [await arrived(1), await arrived(2)];
  await turns(30);
  respond(first);
  await client.when(() => client.how !== undefined, 5_000);
  expect(client.read([]).responses.map(({ body }) => body.toString())).toEqual(["ok"]);
  await until(() => second.handler.closed !== undefined);
  expect([first.handler.closed, second.handler.closed]).toEqual([true, false]);
});

test("a client that ends within its only request has left", async () => {
  const { client, arrived } = await ownConnection();
  client.socket.end(`${post}he`);
  const { handler } = await arrived(1);
  await until(() => handler.closed !== undefined);
  expect([handler.closed, client.text]).toEqual([false, ""]);
});

test("a client that ends within a head is closed without a response", async () => {
  const { client, handed } = await ownConnection();
  client.socket.end("GET / HT");
  await client.when(() => client.how !== undefined, 5_000);
  expect([client.text, handed.length]).toEqual(["", 0]);
});

describe("a client that has closed its connection", () => {
  test.each([
    ["before the response", () => {}],
    [
      "within a stream of events that is silent",
      ({ exchange }: Awaited<ReturnType<Awaited<ReturnType<typeof ownConnection>>["arrived"]>>) => {
        exchange.begin(200, "OK", ["Content-Type", "text/event-stream"], false);
        exchange.write("data: 1\n\n");
      },
    ],
  ])("is noticed %s, though nothing but an end arrives", async (_, act) => {
    const clock = new VirtualClock();
    const { client, arrived, connection } = await ownConnection({ clock });
    client.socket.write(getRequest());
    const one = await arrived(1);
    act(one);
    await turns(10);
    // The kernel sends an end, as for a client that still reads; a reset follows what is sent to it then.
    client.socket.destroy();
    await turns(20);
    expect(one.handler.closed).toBeUndefined();
    for (let times = 0; times < 2; times++) {
      clock.advance(300);
      await turns(20);
    }
    await until(() => one.handler.closed !== undefined, 5_000);
    expect([one.handler.closed, connection.socket.destroyed, one.handler.violations]).toEqual([false, true, []]);
  });

  test("and one that still reads are told apart, and the response is as it was", async () => {
    const clock = new VirtualClock();
    const { client, arrived } = await ownConnection({ clock });
    client.socket.end(getRequest());
    const { exchange } = await arrived(1);
    await turns(20);
    for (let times = 0; times < 10; times++) {
      clock.advance(300);
      await turns(5);
    }
    exchange.begin(200, "OK", [], false);
    exchange.write("one");
    await turns(5);
    for (let times = 0; times < 10; times++) {
      clock.advance(300);
      await turns(5);
    }
    exchange.write("two");
    exchange.end(undefined, []);
    await client.when(() => client.how !== undefined, 5_000);
    const { responses, informational, violation } = client.read([]);
    expect([client.how, violation, responses[0]?.body.toString(), responses[0]?.complete]).toEqual([
      "end",
      undefined,
      "onetwo",
      true,
    ]);
    expect(informational.map(({ status }) => status)).toEqual([100]);
  });
});

test("a client that has left within a response is noticed when nothing more of it is sent", async () => {
  const { client, arrived } = await ownConnection();
  client.socket.write(getRequest());
  const { exchange, handler } = await arrived(1);
  exchange.begin(200, "OK", ["Content-Length", "1000000"], false);
  exchange.write("some");
  await until(() => client.text.endsWith("some"));
  client.socket.destroy();
  await until(() => handler.closed !== undefined, 5_000);
  expect(handler.closed).toBe(false);
});
