import { describe, expect, test } from "vitest";
import { standstill, turns, until } from "../support/event-loop.ts";
import { type ClientExchangeHarness, fieldsOf, type RequestSketch, startScene } from "./client-exchange-harness.ts";

const noTrailers: readonly [string, string][] = [];

/** More than kernels and servers hold for a client that does not read. */
const tooMuch = 32 * 1_048_576;

/** A response with its head, body, trailers and backpressure, and interim responses. */
export function responseContract(harness: ClientExchangeHarness): void {
  const { traits } = harness;
  const start = (sketch?: RequestSketch) => startScene(harness, sketch);

  describe("a response", () => {
    test("has the status, the fields in their order and repetition, and the body", async () => {
      const { exchange, handler, client } = await start();
      const headers = ["X-One", "1", "X-Two", "caf\xe9", "X-One", "3", "Content-Length", "5"];
      expect(exchange.begin(201, "Made up", headers, false)).toBe(true);
      exchange.end("hello", noTrailers);
      await until(() => client.received.complete);
      const { received } = client;
      expect([received.status, received.body.toString()]).toEqual([201, "hello"]);
      if (traits.hasReasonPhrase) expect(received.reason).toBe("Made up");
      const known = received.headers.filter((_, index, all) => /^x-/i.test(all[index - (index % 2)] ?? ""));
      const sent = traits.keepsFieldOrder ? headers.slice(0, 6) : ["X-One", "1", "X-One", "3", "X-Two", "caf\xe9"];
      expect(known).toEqual(traits.keepsLetterCase ? sent : sent.map((text, at) => (at % 2 ? text : lower(text))));
      expect(fieldsOf(received.headers, "content-length")).toEqual(["5"]);
      await until(() => handler.closed !== undefined);
      expect(handler.closed).toBe(true);
    });

    test("has a status from `begin` on", async () => {
      const { exchange } = await start();
      expect(exchange.status).toBe(0);
      exchange.begin(404, "", ["Content-Length", "0"], false);
      expect(exchange.status).toBe(404);
      exchange.end(undefined, noTrailers);
      expect(exchange.status).toBe(404);
    });

    test("is flushed with its head, and with what was written", async () => {
      const { exchange, client } = await start();
      exchange.begin(200, "OK", ["Content-Length", "6"], false);
      exchange.flush();
      await until(() => client.received.status === 200);
      expect([client.received.body.length, client.received.complete]).toEqual([0, false]);
      exchange.write("abc");
      exchange.flush();
      await until(() => client.received.body.length === 3);
      expect(client.received.complete).toBe(false);
      exchange.end("def", noTrailers);
      await until(() => client.received.complete);
      expect(client.received.body.toString()).toBe("abcdef");
    });

    test("of unknown length is complete with its end", async () => {
      const { exchange, client, handler } = await start();
      exchange.begin(200, "OK", [], false);
      exchange.write(Buffer.from("abc"));
      await until(() => client.received.body.length === 3);
      expect(client.received.complete).toBe(false);
      exchange.end(undefined, noTrailers);
      await until(() => client.received.complete && handler.closed !== undefined);
      expect([client.received.body.toString(), handler.closed]).toEqual(["abc", true]);
    });

    test("takes strings as Latin-1, in `write` and as the whole body in `end`", async () => {
      const bytes = Buffer.from("caf\xe9\x00\xff", "latin1");
      const inParts = await start();
      inParts.exchange.begin(200, "OK", ["Content-Length", "6"], false);
      inParts.exchange.write("caf\xe9");
      inParts.exchange.end("\x00\xff", noTrailers);
      const whole = await start();
      whole.exchange.begin(200, "OK", ["Content-Length", "6"], false);
      whole.exchange.end("caf\xe9\x00\xff", noTrailers);
      for (const { client } of [inParts, whole]) {
        await until(() => client.received.complete);
        expect(client.received.body).toEqual(bytes);
      }
    });

    test("ends with bytes as well", async () => {
      const { exchange, client } = await start();
      exchange.begin(200, "OK", ["Content-Length", "3"], false);
      exchange.end(new Uint8Array([0, 128, 255]), noTrailers);
      await until(() => client.received.complete);
      expect([...client.received.body]).toEqual([0, 128, 255]);
    });

    test.each([5, 9_000, 40_000, 65_536, 200_000])("reads a buffer of %i bytes only during the call", async (size) => {
      const { exchange, client } = await start();
      const shared = Buffer.alloc(size);
      const count = 8;
      exchange.begin(200, "OK", ["Content-Length", String(size * count)], false);
      for (let round = 0; round < count; round++) {
        exchange.write(shared.fill(65 + round));
        shared.fill(0);
      }
      exchange.end(undefined, noTrailers);
      await until(() => client.received.complete);
      const { body } = client.received;
      for (let round = 0; round < count; round++) {
        const part = body.subarray(round * size, (round + 1) * size);
        expect(part.equals(Buffer.alloc(size, 65 + round)), `write ${round}`).toBe(true);
      }
    });

    if (traits.hasTrailers) {
      test("has its trailers", async () => {
        const { exchange, client } = await start();
        exchange.begin(200, "OK", [], false);
        exchange.write("abc");
        exchange.end(undefined, [
          ["X-Sum", "caf\xe9"],
          ["X-Other", "2"],
        ]);
        await until(() => client.received.complete);
        expect(client.received.body.toString()).toBe("abc");
        const { trailers } = client.received;
        expect([fieldsOf(trailers, "x-sum"), fieldsOf(trailers, "x-other")]).toEqual([["caf\xe9"], ["2"]]);
      });
    }

    test("has no body after 204 and 304", async () => {
      for (const status of [204, 304]) {
        const { exchange, client, handler } = await start();
        exchange.begin(status, "", ["X-One", "1"], false);
        exchange.end(undefined, noTrailers);
        await until(() => client.received.complete && handler.closed !== undefined);
        const { received } = client;
        expect([received.status, received.body.length, handler.closed]).toEqual([status, 0, true]);
        expect(fieldsOf(received.headers, "x-one")).toEqual(["1"]);
      }
    });

    if (traits.hasRequestBodies) {
      test.each(["string", "bytes", "nothing", "write"])("to HEAD has its length and no body: %s", async (how) => {
        const { exchange, client, handler } = await start({ method: "HEAD" });
        exchange.begin(200, "OK", ["Content-Length", "5"], false);
        if (how === "write") exchange.write("hello");
        const body = { string: "hello", bytes: Buffer.from("hello"), nothing: undefined, write: undefined }[how];
        exchange.end(body, noTrailers);
        await until(() => client.received.complete && handler.closed !== undefined);
        // A body would follow the head.
        await turns(10);
        expect([client.received.body.length, handler.closed]).toEqual([0, true]);
        expect(fieldsOf(client.received.headers, "content-length")).toEqual(["5"]);
      });
    }

    test("holds the proxy back while its client does not read, and goes on with `onWritable`", async () => {
      const { exchange, client, handler } = await start();
      client.pause();
      exchange.begin(200, "OK", [], false);
      const chunk = Buffer.alloc(262_144, "x");
      let written = 0;
      let isWritable = true;
      while (isWritable) {
        const calls = handler.writableCalls;
        written += chunk.length;
        expect(written).toBeLessThan(tooMuch);
        if (exchange.write(chunk)) continue;
        await standstill(() => handler.writableCalls);
        isWritable = handler.writableCalls > calls;
        // Each false is followed by one call at most.
        expect(handler.writableCalls - calls).toBeLessThanOrEqual(1);
      }
      const calls = handler.writableCalls;
      client.resume();
      await until(() => handler.writableCalls === calls + 1);
      exchange.end("last", noTrailers);
      await until(() => handler.closed !== undefined);
      expect(handler.closed).toBe(true);
      await until(() => client.received.complete);
      expect(client.received.body.length).toBe(written + 4);
    });

    test("leaves nothing to `begin` when an app in front of the proxy has responded", async () => {
      const { exchange, client, handler, respondAsApp } = await start();
      expect(respondAsApp !== undefined).toBe(traits.hasAppInFront);
      respondAsApp?.(418);
      expect(exchange.status).toBe(traits.hasAppInFront ? 418 : 0);
      expect(exchange.begin(200, "OK", ["Content-Length", "0"], false)).toBe(!traits.hasAppInFront);
      if (!traits.hasAppInFront) exchange.end(undefined, noTrailers);
      await until(() => client.received.complete && handler.closed !== undefined);
      expect([client.received.status, handler.closed]).toEqual([traits.hasAppInFront ? 418 : 200, true]);
    });
  });

  describe("an interim response", () => {
    test(`${traits.hasInterimResponses ? "reaches" : "does not reach"} the client in front of the response`, async () => {
      const { exchange, client } = await start();
      exchange.inform(103, ["Link", "</caf\xe9>", "Link", "</b>"]);
      exchange.inform(102, []);
      await turns(5);
      expect(exchange.status).toBe(0);
      exchange.begin(200, "OK", ["Content-Length", "5"], false);
      exchange.end("hello", noTrailers);
      await until(() => client.received.complete);
      const { informational, status, body } = client.received;
      expect([status, body.toString()]).toEqual([200, "hello"]);
      const links = informational.map(({ status, headers }) => [status, fieldsOf(headers, "link")]);
      expect(links).toEqual(
        traits.hasInterimResponses
          ? [
              [103, ["</caf\xe9>", "</b>"]],
              [102, []],
            ]
          : [],
      );
    });
  });
}

function lower(text: string): string {
  return text.toLowerCase();
}
