import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, test } from "vitest";
import { limits } from "../../../src/config/defaults.ts";
import { turns, until } from "../../support/event-loop.ts";
import { getRequest, ownConnection, respond } from "../../support/own-connection.ts";

const atOnce = 1 + limits.pipelinedRequests;

const storage = new AsyncLocalStorage<number>();

test("pipelined requests are not handed over in the context of an earlier one", async () => {
  const stores: (number | undefined)[] = [];
  const { client, handed } = await ownConnection({}, (one) => {
    const store = storage.getStore();
    stores.push(store);
    storage.run(stores.length, () => setImmediate(() => respond(one)));
  });
  client.socket.write(getRequest().repeat(200));
  await until(() => client.read([]).responses.length === 200);
  expect(handed.length).toBe(200);
  expect([...new Set(stores)]).toEqual([undefined]);
});

describe("pipelined requests", () => {
  test("are handed over a few at a time", async () => {
    const { client, handed } = await ownConnection();
    client.socket.write(getRequest().repeat(200));
    await until(() => handed.length >= atOnce);
    await turns(20);
    expect(handed.length).toBe(atOnce);
    for (let next = 0; next < 200; next++) {
      await until(() => handed.length > next);
      respond(handed[next] as (typeof handed)[number], String(next));
      expect(handed.length - next).toBeLessThanOrEqual(atOnce);
    }
    await until(() => client.read([]).responses.length === 200);
    expect(client.read([]).responses.map(({ body }) => Number(body.toString()))).toEqual([...Array(200).keys()]);
  });

  test("that are answered at once take only their share of a turn", async () => {
    let inTurn = 0;
    let most = 0;
    const startTurn = () => {
      inTurn = 0;
    };
    const { client, handed } = await ownConnection({}, (one) => {
      if (inTurn++ === 0) setImmediate(() => setImmediate(startTurn));
      most = Math.max(most, inTurn);
      respond(one);
    });
    client.socket.write(getRequest().repeat(2_000));
    await until(() => client.read([]).responses.length === 2_000);
    expect(handed.length).toBe(2_000);
    expect(most).toBeLessThanOrEqual(3 * atOnce);
  });

  test("have their responses in order, whichever comes first", async () => {
    const { client, arrived, handed } = await ownConnection();
    client.socket.write(getRequest().repeat(5));
    await arrived(5);
    for (const [index, one] of [...handed.entries()].reverse()) {
      one.exchange.begin(200, "OK", ["Content-Length", "40000"], false);
      one.exchange.write(Buffer.alloc(20_000, String(index)));
      one.exchange.write(String(index).repeat(1_000));
      one.exchange.end(Buffer.alloc(19_000, String(index)), []);
      await turns(3);
    }
    await until(() => client.read([]).responses.length === 5);
    const bodies = client.read([]).responses.map(({ body }) => [body.length, String.fromCharCode(body[0] ?? 0)]);
    expect(bodies).toEqual([0, 1, 2, 3, 4].map((index) => [40_000, String(index)]));
  });

  test("hold their upstreams back until their turn", async () => {
    const { client, arrived } = await ownConnection();
    client.socket.write(getRequest().repeat(2));
    const [first, second] = [await arrived(1), await arrived(2)];
    second.exchange.begin(200, "OK", [], false);
    let written = 0;
    do written += 10_000;
    while (second.exchange.write(Buffer.alloc(10_000)));
    expect(written).toBeLessThanOrEqual(limits.heldResponseBytes + 10_000);
    await turns(10);
    expect(second.handler.writableCalls).toBe(0);
    respond(first);
    await until(() => second.handler.writableCalls === 1);
    second.exchange.end("end", []);
    await until(() => client.read([]).responses[1]?.complete === true);
    expect(client.read([]).responses[1]?.body.length).toBe(written + 3);
    expect(second.handler.violations).toEqual([]);
  });

  test("get their 100 in their turn, and interim responses only then", async () => {
    const { client, arrived } = await ownConnection();
    const expecting = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    client.socket.write(getRequest() + expecting);
    const [first, second] = [await arrived(1), await arrived(2)];
    second.exchange.sendContinue();
    second.exchange.inform(103, ["Link", "</second>"]);
    second.exchange.readBody();
    first.exchange.inform(103, ["Link", "</first>"]);
    await turns(10);
    respond(first);
    await until(() => client.read([]).informational.length === 2);
    client.socket.write("ok");
    await until(() => second.handler.bodyEnded);
    respond(second);
    await until(() => client.read([]).responses.length === 2);
    const order = [...client.text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
    expect([order, client.text.includes("</second>")]).toEqual([["103", "200", "100", "200"], false]);
  });

  test("with bodies are held up to a bound while those are not read", async () => {
    const { client, handed } = await ownConnection();
    const post = `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 8000\r\n\r\n${"x".repeat(8_000)}`;
    client.socket.write(post.repeat(30));
    await turns(100);
    expect(handed.length).toBeGreaterThan(5);
    expect(handed.length).toBeLessThan(20);
    for (let next = 0; next < 30; next++) {
      await until(() => handed.length > next);
      const one = handed[next] as (typeof handed)[number];
      one.exchange.readBody();
      await until(() => one.handler.bodyEnded);
      respond(one);
    }
    await until(() => client.read([]).responses.length === 30);
    expect(handed.every(({ handler }) => handler.body.length === 8_000)).toBe(true);
  });
});

test("a handshake waits for the responses to earlier requests, and takes what follows it", async () => {
  const { client, handed, arrived } = await ownConnection();
  const handshake = getRequest("/ws", "Connection: Upgrade", "Upgrade: websocket");
  client.socket.write(`${getRequest()}${handshake}early`);
  const first = await arrived(1);
  await turns(20);
  expect(handed.length).toBe(1);
  respond(first);
  const second = await arrived(2);
  expect(second.kind).toBe("handshake");
  client.socket.write("-later");
  await turns(20);
  const raw = second.exchange.takeOver([]);
  second.handler.takenOver = true;
  expect([raw?.early.toString(), raw?.bytesRead]).toEqual(["early-later", 11]);
  raw?.stream.destroy();
});

test("a fault among pipelined requests is reported behind them, once", async () => {
  const { client, handed } = await ownConnection({}, (one) => {
    if (one.kind === "request") return respond(one);
    one.exchange.begin(400, "", ["Content-Length", "0"], true);
    one.exchange.end(undefined, []);
  });
  client.socket.write(`${getRequest().repeat(100)}broken\r\n\r\n${getRequest("/behind").repeat(100)}`);
  await client.when(() => client.how !== undefined, 5_000);
  const { responses } = client.read([]);
  expect([responses.length, responses.at(-1)?.status, client.how]).toEqual([101, 400, "end"]);
  expect(handed.filter(({ kind }) => kind === "malformed").length).toBe(1);
  expect(handed.some(({ exchange }) => exchange.target === "/behind")).toBe(false);
});
