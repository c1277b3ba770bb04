import { describe, expect, test } from "vitest";
import type { ErrorCode } from "../../src/errors.ts";
import { RequestBody, type RequestBodyOptions } from "../../src/forward/request-body.ts";
import { settle, VirtualClock } from "../../src/runtime/virtual-clock.ts";
import type { Exchange } from "../../src/transport/transport.ts";
import { ScriptedClient } from "../support/scripted-client.ts";

/** The upstream's side of an exchange: what was sent, and whether it takes more. */
class Sink implements Exchange {
  text = "";
  ended = 0;
  takesMore = true;

  write(chunk: Uint8Array): boolean {
    this.text += Buffer.from(chunk).toString("latin1");
    return this.takesMore;
  }

  end(): void {
    this.ended++;
  }

  resume(): void {}
  abort(): void {}
}

function lab(options: Partial<RequestBodyOptions> = {}, sentLength: number | "unknown" = "unknown") {
  const clock = new VirtualClock();
  const client = new ScriptedClient({ method: "POST", bodyLength: sentLength });
  const faults: ErrorCode[] = [];
  const body = new RequestBody(
    client.exchange,
    {
      length: sentLength === "unknown" ? -1 : sentLength,
      copyLimit: 10,
      maxBytes: 1_000,
      parsed: undefined,
      awaitsContinue: false,
      clock,
      timeoutMs: 0,
      minRate: 0,
      ...options,
    },
    { onBodyFault: (code) => faults.push(code) },
  );
  client.exchange.start({
    onBody: (chunk) => body.onChunk(chunk),
    onBodyEnd: () => body.onEnd(),
    onFault: () => {},
    onWritable: () => {},
    onClosed: () => {},
  });
  const send = async (text: string) => {
    client.send(Buffer.from(text));
    await settle();
  };
  return { clock, client, body, faults, send };
}

describe("the body of a request", () => {
  test("is not read before a connection stands, and is streamed from then on", async () => {
    const { client, body, send } = lab();
    const sink = new Sink();
    await send("early");
    expect([body.bytesRead, body.replayable]).toEqual([0, true]);
    body.attach(sink);
    await settle();
    expect([sink.text, sink.ended, body.complete]).toEqual(["early", 0, false]);
    client.end();
    await settle();
    expect([sink.ended, body.complete, body.bytesRead]).toEqual([1, true, 5]);
  });

  test("waits while its upstream does not take more", async () => {
    const { client, body, send } = lab();
    const sink = new Sink();
    sink.takesMore = false;
    body.attach(sink);
    await send("one");
    await send("two");
    client.end();
    await settle();
    expect([sink.text, sink.ended]).toEqual(["one", 0]);
    sink.takesMore = true;
    body.onDrain();
    await settle();
    expect([sink.text, sink.ended]).toEqual(["onetwo", 1]);
  });

  test("is sent again from its copy, in front of the rest", async () => {
    const { client, body, send } = lab();
    const [first, second] = [new Sink(), new Sink()];
    body.attach(first);
    await send("12345");
    body.detach();
    await send("678");
    expect([first.text, body.replayable]).toEqual(["12345", true]);
    body.attach(second);
    client.end();
    await settle();
    expect([second.text, second.ended, first.ended]).toEqual(["12345678", 1, 0]);
  });

  test("cannot be sent again once it is larger than its copy may be", async () => {
    const { body, send } = lab();
    body.attach(new Sink());
    await send("1234567890");
    expect(body.replayable).toBe(true);
    await send("1");
    expect(body.replayable).toBe(false);
  });

  test("is sent again by another attempt when it was complete", async () => {
    const { client, body, send } = lab();
    body.attach(new Sink());
    await send("12345");
    client.end();
    await settle();
    const again = new Sink();
    body.attach(again);
    expect([again.text, again.ended]).toEqual(["12345", 1]);
  });

  test("that is larger than allowed is a fault, and is not read on", async () => {
    const { client, body, faults, send } = lab({ maxBytes: 8 });
    const sink = new Sink();
    body.attach(sink);
    await send("12345678");
    expect(faults).toEqual([]);
    await send("9");
    await send("more");
    expect([faults, sink.text]).toEqual([["body_too_large"], "12345678"]);
    expect(client.unread).toBe(4);
  });

  test("is read to its end and dropped by `discard`", async () => {
    const { client, body, send } = lab();
    const sink = new Sink();
    body.attach(sink);
    await send("one");
    body.discard();
    await send("two");
    client.end();
    await settle();
    expect([sink.text, sink.ended, client.exchange.bodyComplete, client.unread]).toEqual(["one", 0, true, 0]);
  });

  test("is asked for by a 100 once, when the first connection stands", async () => {
    const { client, body } = lab({ awaitsContinue: true });
    await settle();
    expect(client.exchange.continueSent).toBe(false);
    body.attach(new Sink());
    body.detach();
    body.attach(new Sink());
    await settle();
    expect(client.received.informational.map(({ status }) => status)).toEqual([100]);
  });

  test("that was read in front of the proxy is sent whole, however often", () => {
    const { body } = lab({ parsed: Buffer.from("parsed") });
    const [first, second] = [new Sink(), new Sink()];
    body.attach(first);
    body.attach(second);
    expect([first.text, first.ended, second.text, second.ended]).toEqual(["parsed", 1, "parsed", 1]);
    expect([body.length, body.bytesRead, body.complete, body.replayable]).toEqual([6, 6, true, true]);
  });
});

describe("a client that sends too slowly", () => {
  /** A deadline is noticed with the next tick. */
  const tickMs = 20;

  test("is timed out after its longest silence", async () => {
    const { clock, body, faults, send } = lab({ timeoutMs: 1_000 });
    body.attach(new Sink());
    await clock.advanceAsync(900);
    await send("1");
    await clock.advanceAsync(1_000 - tickMs);
    expect(faults).toEqual([]);
    await clock.advanceAsync(2 * tickMs);
    expect(faults).toEqual(["request_timeout"]);
  });

  test("is not timed out while it is the upstream that does not read, nor after its end", async () => {
    const { client, clock, body, faults, send } = lab({ timeoutMs: 1_000 });
    const sink = new Sink();
    sink.takesMore = false;
    body.attach(sink);
    await send("1");
    await clock.advanceAsync(10_000);
    sink.takesMore = true;
    body.onDrain();
    await clock.advanceAsync(1_000 - tickMs);
    client.end();
    await clock.advanceAsync(10_000);
    expect(faults).toEqual([]);
  });

  test("is timed out below the lowest rate, though it is never silent for long", async () => {
    const { clock, body, faults, send } = lab({ timeoutMs: 1_000, minRate: 100 });
    body.attach(new Sink());
    // 10 bytes a second instead of 100.
    for (let seconds = 0; seconds < 3 && faults.length === 0; seconds += 0.5) {
      await send("12345");
      await clock.advanceAsync(500);
    }
    expect(faults).toEqual(["request_timeout"]);
  });

  test("is not timed out at the lowest rate", async () => {
    const { clock, body, faults, send } = lab({ timeoutMs: 1_000, minRate: 100 });
    body.attach(new Sink());
    for (let rounds = 0; rounds < 8; rounds++) {
      await send("x".repeat(100));
      await clock.advanceAsync(900);
    }
    expect(faults).toEqual([]);
  });

  test("is forgotten with the exchange", async () => {
    const { clock, body, faults } = lab({ timeoutMs: 1_000 });
    body.attach(new Sink());
    body.release();
    await clock.advanceAsync(10_000);
    expect(faults).toEqual([]);
  });
});
