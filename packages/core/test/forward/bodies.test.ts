import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { fieldsOf } from "../contract/client-exchange-harness.ts";
import { type ForwardLab, startLab, toResponse } from "../support/forward-lab.ts";
import type { ScriptedClient } from "../support/scripted-client.ts";
import { refusingUpstream, type ScriptedUpstream, scriptedUpstream } from "../support/scripted-upstream.ts";

/** Longer than every pause before the retries of one request. */
const allPausesMs = 10_000;
const inChunks = { bodyLength: "unknown" } as const;

/** What an upstream has received of a body, and how that was framed. */
function bodyAt({ received }: ScriptedUpstream) {
  const [request] = received;
  return { body: request?.body, length: request?.head.bodyLength };
}

/** A lab whose second upstream is used when the first one fails. */
function startPair(first: ScriptedUpstream, second: ScriptedUpstream, options: object = {}): ForwardLab {
  return startLab({ upstreams: [{ url: first.url }, { url: second.url, backup: true }], ...options });
}

function retried(lab: ForwardLab): Promise<unknown> {
  return new Promise((resolve) => {
    lab.once("retry", resolve);
  });
}

/** The response after the pauses before all retries. */
async function responseTo(lab: ForwardLab, client: ScriptedClient) {
  await lab.clock.advanceAsync(allPausesMs);
  const received = await client.ended();
  expect(received.complete).toBe(true);
  return toResponse(received);
}

describe("a POST whose first upstreams refuse the connection", () => {
  test.each([10, 70_000, 1_048_576])("arrives whole: %s bytes", async (size) => {
    const upstream = scriptedUpstream("a");
    const upstreams = [{ url: refusingUpstream().url }, { url: refusingUpstream().url }];
    const lab = startLab({ upstreams: [...upstreams, { url: upstream.url, backup: true }] });
    const body = randomBytes(size);
    expect(await lab.fetch("/", { method: "POST", body })).toMatchObject({ status: 200, text: "a" });
    expect(bodyAt(upstream)).toEqual({ body: body.toString("latin1"), length: size });
    const [event] = await lab.finished(1);
    expect(event).toMatchObject({ bytesIn: size, flags: ["retried"] });
    expect(event?.attempts).toHaveLength(3);
  });

  test("arrives whole in chunks", async () => {
    const upstream = scriptedUpstream("a");
    const lab = startPair(refusingUpstream(), upstream);
    const client = lab.begin("/", { method: "POST", ...inChunks });
    const pieces = Array.from({ length: 50 }, () => randomBytes(3_000));
    for (const piece of pieces) client.send(piece);
    client.end();
    expect((await responseTo(lab, client)).text).toBe("a");
    expect(bodyAt(upstream)).toEqual({ body: Buffer.concat(pieces).toString("latin1"), length: -1 });
  });
});

describe("a POST that an upstream has seen", () => {
  test.each(["", "x".repeat(100_000)])("is not sent to another one, even if nothing came back", async (body) => {
    const bad = scriptedUpstream("bad", (request) => request.fail("reset"));
    const good = scriptedUpstream("good");
    const lab = startPair(bad, good, { retry: { attempts: 5, budget: 1 } });
    const { status, headers } = await lab.fetch("/", { method: "POST", body });
    expect(status).toBe(502);
    expect(headers["proxy-status"]).toContain('details="reset"');
    expect(good.received).toHaveLength(0);
    expect((await lab.finished(1))[0]?.attempts).toHaveLength(1);
  });

  test("is sent again when the options name the method, and arrives whole", async () => {
    const bad = scriptedUpstream("bad", (request) => request.fail("reset"));
    const good = scriptedUpstream("good");
    const lab = startPair(bad, good, { retry: { methods: ["POST"] } });
    const body = randomBytes(40_000);
    expect((await responseTo(lab, lab.begin("/", { method: "POST", body }))).text).toBe("good");
    expect(bodyAt(good)).toEqual({ body: body.toString("latin1"), length: 40_000 });
  });
});

describe("a PUT that fails halfway", () => {
  test.each([60_000, 65_536])("is sent again from its start while it fits the buffer: %s bytes", async (size) => {
    const bad = scriptedUpstream("bad", (request) => {
      request.onChunk = () => request.body.length >= size && request.fail("reset");
    });
    const good = scriptedUpstream("good");
    const lab = startPair(bad, good);
    const body = randomBytes(size);
    expect((await responseTo(lab, lab.begin("/", { method: "PUT", body }))).text).toBe("good");
    expect(bodyAt(good)).toEqual({ body: body.toString("latin1"), length: size });
    expect(bodyAt(bad)).toEqual(bodyAt(good));
  });

  test("is 502 when it does not fit, and the other upstream hears nothing of it", async () => {
    const bad = scriptedUpstream("bad", (request) => {
      request.onChunk = () => request.fail("reset");
    });
    const good = scriptedUpstream("good");
    const lab = startPair(bad, good);
    expect((await lab.fetch("/", { method: "PUT", body: randomBytes(200_000) })).status).toBe(502);
    expect(bodyAt(bad).body?.length).toBeGreaterThan(0);
    expect(good.received).toHaveLength(0);
  });

  test("in chunks is sent again as far as it has come, and then goes on", async () => {
    const bad = scriptedUpstream("bad", (request) => {
      request.onChunk = () => request.fail("reset");
    });
    const good = scriptedUpstream("good");
    const lab = startPair(bad, good);
    const again = retried(lab);
    const client = lab.begin("/", { method: "PUT", ...inChunks });
    client.send(Buffer.from("first "));
    await again;
    client.send(Buffer.from("second "));
    client.send(Buffer.from("third"));
    client.end();
    expect((await responseTo(lab, client)).text).toBe("good");
    expect(bodyAt(bad)).toEqual({ body: "first ", length: -1 });
    expect(bodyAt(good)).toEqual({ body: "first second third", length: -1 });
  });
});

describe("a PUT that is answered with a status to retry on", () => {
  test.each(["before", "after"])("is sent again whole, %s its end has come", async (when) => {
    const bad = scriptedUpstream("bad", (request) => {
      const refuse = () => request.respond(503);
      if (when === "before") request.onChunk = refuse;
      else request.whenEnded(refuse);
    });
    const good = scriptedUpstream("good");
    const lab = startPair(bad, good, { retry: { on: ["503"] } });
    const again = retried(lab);
    const client = lab.begin("/", { method: "PUT", ...inChunks });
    client.send(Buffer.from("first "));
    if (when === "before") await again;
    client.send(Buffer.from("second "));
    client.send(Buffer.from("third"));
    client.end();
    expect((await responseTo(lab, client)).text).toBe("good");
    expect(bodyAt(bad).body).toBe(when === "before" ? "first " : "first second third");
    expect(bodyAt(good)).toEqual({ body: "first second third", length: -1 });
  });
});

describe("a body over the limit", () => {
  function limited() {
    const upstream = scriptedUpstream("done");
    const routes = [{ pool: "p", maxBodySize: "1kb" }];
    return { lab: startLab({ pools: { p: { upstreams: [upstream.url] } }, routes }), upstream };
  }

  test("is 413 by its length, before anybody is asked", async () => {
    const { lab, upstream } = limited();
    const { status, headers } = await lab.fetch("/", { method: "POST", body: "x".repeat(1_025) });
    expect(status).toBe(413);
    expect(headers["connection"]).toBe("close");
    expect(upstream.received).toHaveLength(0);
    expect((await lab.finished(1))[0]).toMatchObject({ status: 413, error: "body_too_large", attempts: [] });
  });

  test("is 413 by its count, and the connection is over", async () => {
    const { lab, upstream } = limited();
    const client = lab.begin("/", { method: "POST", ...inChunks });
    for (let sent = 0; sent <= 1_024; sent += 256) client.send(Buffer.alloc(256, "x"));
    const received = await client.ended();
    expect(received).toMatchObject({ status: 413, complete: true, closed: true });
    expect(fieldsOf(received.headers, "connection")).toEqual(["close"]);
    expect((await lab.finished(1))[0]).toMatchObject({ status: 413, error: "body_too_large" });
    expect(upstream.received.map(({ aborted, body }) => [aborted, body.length])).toEqual([[true, 1_024]]);
  });

  test("is passed on up to the limit itself", async () => {
    const { lab, upstream } = limited();
    const body = "x".repeat(1_024);
    expect((await lab.fetch("/", { method: "POST", body })).text).toBe("done");
    const client = lab.begin("/", { method: "POST", ...inChunks });
    client.send(Buffer.from(body));
    client.end();
    expect((await responseTo(lab, client)).text).toBe("done");
    expect(upstream.received.map((request) => [request.body, request.head.bodyLength])).toEqual([
      [body, 1_024],
      [body, -1],
    ]);
  });
});

describe("an answer before the body has been read", () => {
  test("is passed on, with the end of the connection", async () => {
    const upstream = scriptedUpstream("a", (request) => request.respond(403, [], "no"));
    const lab = startLab({ upstreams: [upstream.url] });
    const client = lab.begin("/", { method: "POST", bodyLength: 1_000_000 });
    client.send(Buffer.from("some"));
    const received = await client.ended();
    expect(received).toMatchObject({ status: 403, complete: true, closed: true });
    expect(received.body.toString()).toBe("no");
    expect(fieldsOf(received.headers, "connection")).toEqual(["close"]);
    expect((await lab.finished(1))[0]).toMatchObject({ status: 403, flags: ["early"] });
  });
});
