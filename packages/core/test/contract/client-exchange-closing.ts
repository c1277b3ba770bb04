import { describe, expect, test } from "vitest";
import { turns, until } from "../support/event-loop.ts";
import {
  type ClientExchangeHarness,
  openScene,
  type RequestSketch,
  type Scene,
  startScene,
} from "./client-exchange-harness.ts";

const noTrailers: readonly [string, string][] = [];

/** More than kernels and servers hold for a client that does not read. */
const tooMuch = 32 * 1_048_576;

/** How a response ends other than by its own end: cut off, with its connection, or by a client that leaves. */
export function closingContract(harness: ClientExchangeHarness): void {
  const { traits } = harness;
  const start = (sketch?: RequestSketch) => startScene(harness, sketch);

  describe("a response that is cut off", () => {
    test.each([
      ["with a length", ["Content-Length", "10"]],
      ["without one", []],
    ])("%s is not complete for its client", async (_, headers) => {
      const scene = await start();
      scene.exchange.begin(200, "OK", [...headers], false);
      scene.exchange.write("hello");
      await until(() => scene.client.received.body.length === 5);
      scene.exchange.cutOff();
      await expectCutOff(scene);
    });

    test("sends nothing more", async () => {
      const scene = await start();
      const { exchange, client } = scene;
      exchange.begin(200, "OK", [], false);
      exchange.write("hello");
      await until(() => client.received.body.length === 5);
      exchange.cutOff();
      expect(exchange.write("late")).toBe(true);
      exchange.flush();
      exchange.end("later", noTrailers);
      await expectCutOff(scene);
      expect(client.received.body.toString()).toBe("hello");
    });

    test("is not complete with nothing but its head", async () => {
      const scene = await start();
      scene.exchange.begin(200, "OK", [], false);
      scene.exchange.flush();
      await until(() => scene.client.received.status === 200);
      scene.exchange.cutOff();
      await expectCutOff(scene);
    });

    test("is not complete before its head", async () => {
      const scene = await start();
      scene.exchange.cutOff();
      await expectCutOff(scene);
      expect(scene.client.received.status).toBe(0);
    });

    test("is not complete either when the client does not read", async () => {
      const scene = await start();
      const { exchange, client } = scene;
      exchange.begin(200, "OK", [], false);
      exchange.flush();
      await until(() => client.received.status === 200);
      client.pause();
      while (exchange.write(Buffer.alloc(262_144, "x")));
      exchange.cutOff();
      await turns(5);
      client.resume();
      await expectCutOff(scene);
    });
  });

  describe("the last response of a connection", () => {
    if (traits.hasRequestBodies) {
      test("is received as a whole by a client that goes on sending, and closes the connection", async () => {
        const { exchange, handler, client } = await start({ method: "POST", bodyLength: tooMuch });
        client.send(Buffer.alloc(1_048_576));
        const body = "too large".repeat(1_000);
        exchange.begin(413, "Content Too Large", ["Content-Length", String(body.length)], true);
        exchange.end(body, noTrailers);
        for (let sent = 0; sent < 20 && !client.received.complete; sent++) {
          client.send(Buffer.alloc(65_536));
          await turns(1);
        }
        await until(() => client.received.complete && handler.closed !== undefined);
        expect([client.received.status, client.received.body.toString()]).toEqual([413, body]);
        expect([handler.closed, handler.chunks.length, handler.bodyEnded]).toEqual([true, 0, false]);
        // Whatever the server does first, the client can have the whole response before the connection ends.
        client.end();
        await until(() => client.received.closed);
      });
    }

    test("closes the connection when the request was complete, too", async () => {
      const { exchange, handler, client } = await start();
      exchange.begin(503, "", ["Content-Length", "0", "Connection", "close"], true);
      exchange.end(undefined, noTrailers);
      await until(() => client.received.closed && handler.closed !== undefined);
      expect([client.received.complete, handler.closed]).toEqual([true, true]);
    });
  });

  describe("a client that leaves", () => {
    test("before the exchange is started closes it after the start", async () => {
      const { exchange, handler, client } = await openScene(harness, {});
      client.leave();
      await turns(50);
      handler.start();
      expect(handler.closed).toBeUndefined();
      await until(() => handler.closed !== undefined);
      expect(handler.closed).toBe(false);
      await callAll({ exchange });
    });

    test("before the response closes the exchange", async () => {
      const { exchange, handler, client } = await start();
      client.leave();
      await until(() => handler.closed !== undefined);
      expect(handler.closed).toBe(false);
      await callAll({ exchange });
    });

    test("within the response closes the exchange", async () => {
      const { exchange, handler, client } = await start();
      exchange.begin(200, "OK", [], false);
      exchange.write("hello");
      await until(() => client.received.body.length === 5);
      client.leave();
      await until(() => handler.closed !== undefined);
      expect(handler.closed).toBe(false);
      await callAll({ exchange });
    });

    test("before it has received all of an ended response closes the exchange unfinished", async () => {
      const { exchange, handler, client } = await start();
      client.pause();
      exchange.begin(200, "OK", [], false);
      exchange.write(Buffer.alloc(tooMuch));
      exchange.end(undefined, noTrailers);
      await turns(20);
      expect(handler.closed).toBeUndefined();
      client.leave();
      await until(() => handler.closed !== undefined);
      expect(handler.closed).toBe(false);
    });
  });
}

/** After the end of the exchange no method throws, and none calls the handler. */
async function callAll({ exchange }: Pick<Scene, "exchange">): Promise<void> {
  exchange.readBody();
  // What the server still holds of the body would come now.
  await turns(5);
  exchange.pauseBody();
  exchange.discardBody();
  exchange.inform(103, []);
  if (exchange.status === 0) exchange.begin(200, "OK", [], false);
  exchange.write("late");
  exchange.flush();
  exchange.end(undefined, noTrailers);
  exchange.cutOff();
}

async function expectCutOff({ client, handler }: Scene): Promise<void> {
  await until(() => client.received.closed && handler.closed !== undefined);
  expect([client.received.complete, handler.closed]).toEqual([false, false]);
}
