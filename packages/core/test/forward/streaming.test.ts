import { describe, expect, test } from "vitest";
import { settle } from "../../src/runtime/virtual-clock.ts";
import { startLab } from "../support/forward-lab.ts";
import { scriptedUpstream, type UpstreamRequest } from "../support/scripted-upstream.ts";

describe("backpressure", () => {
  const pieces = 100;
  const pieceBytes = 65_536;

  /** A client that has begun to read an answer that is too long to be held on the way to it, and has stopped. */
  async function stalled(options: { sendTimeout?: string }) {
    const upstream = scriptedUpstream("a", (request) => {
      request.begin(200);
      for (let piece = 0; piece < pieces; piece++) request.write(Buffer.alloc(pieceBytes, "x"));
      request.end();
    });
    const lab = startLab({ upstreams: [upstream.url], ...options });
    const client = lab.begin();
    await client.when(({ status }) => status === 200);
    client.pause();
    await settle();
    // Each piece is two steps: its data, and the report that nothing has arrived behind it.
    expect(upstream.received[0]?.heldSteps).toBeGreaterThan(pieces);
    return { lab, client };
  }

  test("a client that reads nothing for too long is cut off, and that is not the upstream's fault", async () => {
    const { lab, client } = await stalled({});
    await lab.clock.advanceAsync(59_000);
    expect(lab.pool.inFlight).toBe(1);
    await lab.clock.advanceAsync(2_000);
    expect(lab.requests).toMatchObject([{ status: 200, error: "send_timeout", flags: ["truncated"] }]);
    expect(lab.pool.snapshot().upstreams[0]).toMatchObject({ outcomes: { aborted: 1 }, lastFailure: null });
    expect(await client.ended()).toMatchObject({ complete: false, closed: true });
  });

  test("a client that may take its time gets everything, an hour later too", async () => {
    const { lab, client } = await stalled({ sendTimeout: "0s" });
    await lab.clock.advanceAsync(3_600_000);
    client.resume();
    const { body, complete } = await client.ended();
    expect([body.length, complete]).toEqual([pieces * pieceBytes, true]);
    expect((await lab.finished(1))[0]).toMatchObject({ status: 200, error: undefined, flags: [] });
  });
});

describe("what comes goes on at once", () => {
  test("the head, before there is any body", async () => {
    const upstream = scriptedUpstream("a", (request) => {
      request.begin(200, ["X-A", "1"]);
      request.flush();
    });
    const client = startLab({ upstreams: [upstream.url] }).begin();
    const { status, headers, body } = await client.when((received) => received.status === 200);
    expect([status, headers.slice(0, 2), body.length]).toEqual([200, ["X-A", "1"], 0]);
    client.leave();
  });

  test("every piece of a request", async () => {
    let arrived: (piece: string) => void = () => {};
    const upstream = scriptedUpstream("a", (request) => {
      request.onChunk = (chunk) => arrived(chunk.toString());
      request.whenEnded(() => request.respond(200));
    });
    const client = startLab({ upstreams: [upstream.url] }).begin("/", { method: "POST", bodyLength: "unknown" });
    for (const word of ["one", "two", "three"]) {
      const arrival = new Promise<string>((resolve) => {
        arrived = resolve;
      });
      client.send(Buffer.from(word));
      expect(await arrival).toBe(word);
    }
    client.end();
    expect((await client.ended()).complete).toBe(true);
  });

  test("answer and request at the same time", async () => {
    const respond = (request: UpstreamRequest) => {
      request.begin(200);
      request.onChunk = (chunk) => request.write(chunk);
      request.whenEnded(() => request.end());
    };
    const lab = startLab({ upstreams: [scriptedUpstream("echo", respond).url] });
    const client = lab.begin("/", { method: "POST", bodyLength: "unknown" });
    let expected = "";
    for (let round = 0; round < 10; round++) {
      client.send(Buffer.from(`${round}`));
      expected += round;
      await client.when(() => client.received.body.length >= expected.length);
      expect(client.received.body.toString()).toBe(expected);
    }
    expect(client.received.complete).toBe(false);
    client.end();
    expect(await client.ended()).toMatchObject({ complete: true });
  });
});
