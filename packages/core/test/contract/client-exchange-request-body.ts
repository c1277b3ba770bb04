import { describe, expect, test } from "vitest";
import { standstill, turns, until } from "../support/event-loop.ts";
import {
  type ClientExchangeHarness,
  fieldsOf,
  openScene,
  type RequestSketch,
  startScene,
} from "./client-exchange-harness.ts";

/** More than kernels and servers hold of a body that is not read. */
const tooMuch = 32 * 1_048_576;

const noTrailers: readonly [string, string][] = [];

/** The body of a request: its backpressure, its end, its faults, and 100 (Continue). */
export function requestBodyContract(harness: ClientExchangeHarness): void {
  const { traits } = harness;
  const start = (sketch: RequestSketch) => startScene(harness, { method: "POST", ...sketch });

  describe("a request without a body", () => {
    test("is complete by itself, and ends when its body is read", async () => {
      const { exchange, handler } = await startScene(harness);
      await until(() => exchange.bodyComplete);
      expect(handler.bodyEnded).toBe(false);
      exchange.readBody();
      await until(() => handler.bodyEnded);
      expect([handler.chunks.length, exchange.bodyBytes]).toEqual([0, 0]);
    });
  });

  if (!traits.hasRequestBodies) return;

  describe("the body of a request", () => {
    test("is not received by the handler before `readBody`", async () => {
      const { exchange, handler, client } = await start({ bodyLength: 5 });
      client.send(Buffer.from("hello"));
      client.end();
      await turns(30);
      expect([handler.chunks.length, handler.bodyEnded, exchange.bodyBytes]).toEqual([0, false, 0]);
      exchange.readBody();
      await until(() => handler.bodyEnded);
      expect([handler.body, exchange.bodyBytes, exchange.bodyComplete]).toEqual(["hello", 5, true]);
    });

    test("is complete no sooner than it was received", async () => {
      const { exchange, handler, client } = await start({ bodyLength: 10 });
      client.send(Buffer.from("hello"));
      exchange.readBody();
      await until(() => handler.body === "hello");
      expect([exchange.bodyComplete, exchange.bodyBytes, handler.bodyEnded]).toEqual([false, 5, false]);
      client.send(Buffer.from("world"));
      client.end();
      await until(() => handler.bodyEnded);
      expect([exchange.bodyComplete, exchange.bodyBytes, handler.body]).toEqual([true, 10, "helloworld"]);
    });

    if (traits.hasChunks) {
      test("may have no announced length", async () => {
        const { exchange, handler, client } = await start({ bodyLength: "unknown" });
        exchange.readBody();
        client.send(Buffer.from("hel"));
        await until(() => handler.body === "hel");
        client.send(Buffer.from("lo"));
        client.end();
        await until(() => handler.bodyEnded);
        expect([handler.body, exchange.bodyBytes, exchange.bodyComplete]).toEqual(["hello", 5, true]);
      });
    }

    test("consists of chunks that belong to the handler", async () => {
      const size = 1_048_576;
      const { exchange, handler, client } = await start({ bodyLength: size });
      const sent = Buffer.alloc(size);
      for (let at = 0; at < size; at++) sent[at] = at % 251;
      exchange.readBody();
      for (let at = 0; at < size; at += 65_536) client.send(sent.subarray(at, at + 65_536));
      client.end();
      await until(() => handler.bodyEnded);
      expect(Buffer.concat(handler.chunks).equals(sent)).toBe(true);
    });

    test("pauses at once, within a chunk's call as well, and resumes where it was", async () => {
      const { exchange, handler, client } = await start({ bodyLength: 300_000 });
      handler.onChunk = () => exchange.pauseBody();
      const sent = Buffer.alloc(300_000);
      for (let at = 0; at < sent.length; at++) sent[at] = at % 241;
      exchange.readBody();
      client.send(sent);
      client.end();
      for (let count = 1; !handler.bodyEnded; count++) {
        await until(() => handler.chunks.length === count || handler.bodyEnded);
        await turns(5);
        expect(handler.chunks.length).toBeLessThanOrEqual(count);
        exchange.readBody();
      }
      expect(Buffer.concat(handler.chunks).equals(sent)).toBe(true);
      expect(handler.chunks.length).toBeGreaterThan(1);
    });

    test("holds its client back while it is not read", async () => {
      const { exchange, handler, client } = await start({ bodyLength: tooMuch });
      client.send(Buffer.alloc(tooMuch));
      client.end();
      await standstill(() => client.unsent);
      const held = client.unsent;
      expect(held).toBeGreaterThan(tooMuch / 4);
      exchange.readBody();
      await until(() => exchange.bodyBytes > 1_048_576);
      exchange.pauseBody();
      await standstill(() => client.unsent);
      expect(client.unsent).toBeGreaterThan(0);
      expect(exchange.bodyBytes).toBeLessThan(tooMuch);
      exchange.readBody();
      await until(() => handler.bodyEnded);
      expect([exchange.bodyBytes, exchange.bodyComplete]).toEqual([tooMuch, true]);
    });

    test("is dropped after `discardBody`, but counted", async () => {
      const { exchange, handler, client } = await start({ bodyLength: 1_000_000 });
      client.send(Buffer.alloc(500_000));
      exchange.readBody();
      await until(() => exchange.bodyBytes > 0);
      exchange.pauseBody();
      const { length } = handler.chunks;
      exchange.discardBody();
      client.send(Buffer.alloc(500_000));
      client.end();
      await until(() => exchange.bodyComplete && exchange.bodyBytes === 1_000_000);
      await turns(5);
      expect([handler.chunks.length, handler.bodyEnded]).toEqual([length, false]);
    });

    test("is dropped by `discardBody` alone, so that the client can send all of it", async () => {
      const { exchange, handler, client } = await start({ bodyLength: tooMuch });
      client.send(Buffer.alloc(tooMuch));
      client.end();
      exchange.discardBody();
      await until(() => exchange.bodyComplete);
      expect(client.unsent).toBe(0);
      exchange.begin(200, "OK", ["Content-Length", "4"], false);
      exchange.end("late", noTrailers);
      await until(() => client.received.complete && handler.closed === true);
      expect(client.received.body.toString()).toBe("late");
      expect([handler.chunks.length, handler.bodyEnded]).toEqual([0, false]);
    });
  });

  if (traits.hasChunks) {
    describe("a fault in the rest of a request", () => {
      test("is reported once, after what was received, and the exchange ends with the response", async () => {
        const { exchange, handler, client } = await start({ bodyLength: "unknown" });
        exchange.readBody();
        client.send(Buffer.from("hello"));
        await until(() => handler.body === "hello");
        client.sendMalformed();
        await until(() => handler.faults.length > 0);
        expect([handler.faults, handler.bodyEnded, exchange.bodyComplete]).toEqual([["bad_request"], false, false]);
        expect(exchange.fault).toBeUndefined();
        exchange.begin(400, "Bad Request", ["Content-Length", "3", "Connection", "close"], true);
        exchange.end("bad", noTrailers);
        exchange.discardBody();
        client.sendMalformed();
        await until(() => client.received.closed && handler.closed !== undefined);
        const { status, body, complete } = client.received;
        const response = traits.respondsToMalformed ? [400, "bad", true] : [0, "", false];
        expect([status, body.toString(), complete, handler.closed]).toEqual([...response, true]);
        expect([handler.body, handler.faults.length]).toEqual(["hello", 1]);
      });

      test("is reported while the body is not read, and no more of the body follows", async () => {
        const { exchange, handler, client } = await start({ bodyLength: "unknown" });
        client.send(Buffer.from("hello"));
        client.sendMalformed();
        await until(() => handler.faults.length > 0);
        exchange.readBody();
        await turns(10);
        expect([handler.faults, handler.chunks.length, handler.bodyEnded]).toEqual([["bad_request"], 0, false]);
      });

      test("that was found before the start is `fault`, and is not reported again", async () => {
        const { exchange, handler, client } = await openScene(harness, { method: "POST", bodyLength: "unknown" });
        client.sendMalformed();
        await until(() => exchange.fault !== undefined);
        expect(exchange.fault).toBe("bad_request");
        handler.start();
        exchange.begin(400, "Bad Request", ["Content-Length", "3", "Connection", "close"], true);
        exchange.end("bad", noTrailers);
        await until(() => client.received.closed && handler.closed !== undefined);
        const response = traits.respondsToMalformed ? [400, true] : [0, false];
        expect([client.received.status, client.received.complete, handler.closed]).toEqual([...response, true]);
        expect(handler.faults).toEqual([]);
      });
    });
  }

  if (traits.hasInterimResponses) {
    describe("a client that awaits a 100", () => {
      test("receives it with `sendContinue`", async () => {
        const { exchange, handler, client } = await start({ bodyLength: 5, expectsContinue: true });
        await turns(10);
        expect([exchange.continueSent, client.received.informational.length]).toEqual([false, 0]);
        exchange.sendContinue();
        expect(exchange.continueSent).toBe(true);
        exchange.readBody();
        await until(() => client.received.informational.length > 0);
        client.send(Buffer.from("hello"));
        client.end();
        await until(() => handler.bodyEnded);
        exchange.begin(200, "OK", ["Content-Length", "2"], false);
        exchange.end("ok", noTrailers);
        await until(() => client.received.complete);
        expect(client.received.informational.map(({ status }) => status)).toEqual([100]);
        expect([handler.body, client.received.body.toString()]).toEqual(["hello", "ok"]);
      });

      test("receives none without it", async () => {
        const { exchange, client } = await start({ bodyLength: 5, expectsContinue: true });
        exchange.begin(403, "", ["Content-Length", "0", "X-One", "1"], true);
        exchange.end(undefined, noTrailers);
        await until(() => client.received.complete);
        expect([client.received.informational.length, client.received.status]).toEqual([0, 403]);
        expect([exchange.continueSent, fieldsOf(client.received.headers, "x-one")]).toEqual([false, ["1"]]);
      });
    });
  }
}
