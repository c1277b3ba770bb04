import { describe, expect, test } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import type { ProxyError } from "../../src/errors.ts";
import { ClientResponse } from "../../src/forward/client-response.ts";
import type { Hooks } from "../../src/forward/hooks.ts";
import { type OnError, RequestRecord } from "../../src/forward/request-record.ts";
import { isRefusal } from "../../src/request/request-head.ts";
import { readRequest } from "../../src/request/routed-request.ts";
import { settle } from "../../src/runtime/virtual-clock.ts";
import { fieldsOf } from "../contract/client-exchange-harness.ts";
import { ForwardLab } from "../support/forward-lab.ts";
import { ScriptedClient } from "../support/scripted-client.ts";
import type { ScriptedRequest } from "../support/scripted-request.ts";

function respondTo(request: ScriptedRequest = {}, hooks: Hooks = {}) {
  const lab = new ForwardLab({ pools: { none: {} }, sendTimeout: "1s" }, hooks);
  lab.on("exception", () => {});
  const client = new ScriptedClient(request);
  const received = readRequest(client.exchange, lab.routing);
  const record = new RequestRecord(lab.context, client.exchange, isRefusal(received) ? undefined : received);
  const response = new ClientResponse(client.exchange, record, lab.context);
  const closed: boolean[] = [];
  client.exchange.start({
    onBody: () => {},
    onBodyEnd: () => {},
    onFault: () => {},
    onWritable: () => response.onWritable(),
    onClosed: (finished) => closed.push(finished),
  });
  let timeouts = 0;
  const slow = { onSendTimeout: () => timeouts++ };
  return { lab, client, record, response, closed, slow, timeouts: () => timeouts };
}

describe("the head of an upstream's response", () => {
  test("is written with the second chunk, and nothing before it", async () => {
    const { client, response, record, slow } = respondTo();
    response.begin(200, "OK", ["Content-Length", "6"], false);
    expect(response.write(Buffer.from("one"), slow)).toBe(true);
    await settle();
    expect([client.received.status, response.committed, record.status]).toEqual([0, false, 200]);
    response.write(Buffer.from("two"), slow);
    await settle();
    expect([client.received.status, response.committed]).toEqual([200, true]);
    response.end([]);
    const received = await client.ended();
    expect([received.body.toString(), received.complete, record.bytesOut]).toEqual(["onetwo", true, 6]);
  });

  test("is written with a flush, and with the end", async () => {
    const flushed = respondTo();
    flushed.response.begin(200, "OK", [], false);
    flushed.response.write(Buffer.from("one"), flushed.slow);
    flushed.response.flush();
    await settle();
    expect([flushed.client.received.status, flushed.client.received.body.toString()]).toEqual([200, "one"]);

    const ended = respondTo();
    ended.response.begin(204, "No Content", [], false);
    ended.response.end([]);
    expect(await ended.client.ended()).toMatchObject({ status: 204, complete: true });
  });

  test("is written at once with a chunk that is too large to hold", async () => {
    const { client, response, slow } = respondTo();
    response.begin(200, "OK", [], false);
    response.write(Buffer.alloc(limits.joinedBodyBytes + 1), slow);
    await settle();
    expect(client.received.body.length).toBe(limits.joinedBodyBytes + 1);
  });

  test("is replaced by an error response until then", async () => {
    const { client, response, record, slow } = respondTo();
    response.begin(200, "OK", ["Content-Length", "9"], false);
    response.write(Buffer.from("one"), slow);
    response.fail("response_truncated", true);
    const received = await client.ended();
    expect([received.status, record.status, record.error]).toEqual([502, 502, "response_truncated"]);
    expect(received.body.toString()).toContain("response_truncated");
    expect(fieldsOf(received.headers, "content-length")).toEqual([String(received.body.length)]);
    expect(record.bytesOut).toBe(received.body.length);
  });

  test("keeps a chunk as it was during the call, in all its bytes", async () => {
    const { client, response, slow } = respondTo();
    const chunk = Buffer.from([0, 127, 128, 255]);
    response.begin(200, "OK", [], false);
    response.write(chunk, slow);
    chunk.fill(1);
    response.end([]);
    expect([...(await client.ended()).body]).toEqual([0, 127, 128, 255]);
  });
});

describe("trailers", () => {
  const trailers = ["X-Sum", "1", "Content-Length", "9", "X-Named", "2"];

  test.each([
    [
      "are sent to a client that accepts them, without what frames and what Connection names",
      "trailers",
      ["X-Sum", "1"],
    ],
    ["are not sent to another", "gzip", []],
  ])("%s", async (_, te, expected) => {
    const { client, response } = respondTo({ headers: ["TE", te] });
    response.begin(200, "OK", [], false);
    response.end(trailers, ["Connection", "x-named"]);
    expect((await client.ended()).trailers).toEqual(expected);
  });
});

describe("a client that does not read", () => {
  test("is timed out, but not while it takes what it is sent", async () => {
    const { lab, client, response, slow, timeouts } = respondTo();
    const sendTimeoutMs = lab.routing.sendTimeoutMs;
    const chunk = Buffer.alloc(100_000);
    response.begin(200, "OK", [], false);
    client.pause();
    expect(response.write(chunk, slow)).toBe(false);
    await lab.clock.advanceAsync(sendTimeoutMs - 100);
    client.resume();
    await settle();
    await lab.clock.advanceAsync(10 * sendTimeoutMs);
    expect(timeouts()).toBe(0);
    client.pause();
    response.write(chunk, slow);
    await lab.clock.advanceAsync(sendTimeoutMs + 100);
    expect(timeouts()).toBeGreaterThan(0);
    response.cutOff();
    response.release();
  });
});

describe("a response that breaks off", () => {
  test("is cut off, and is flagged as truncated", async () => {
    const { client, response, record, slow, closed } = respondTo();
    response.begin(200, "OK", [], false);
    response.write(Buffer.from("one"), slow);
    response.flush();
    response.cutOff();
    const received = await client.ended();
    await settle();
    expect([received.complete, received.closed, closed, [...record.flags]]).toEqual([
      false,
      true,
      [false],
      ["truncated"],
    ]);
  });
});

describe("an error response", () => {
  test("closes the connection when the body is not settled, or when the proxy is draining", async () => {
    const unsettled = respondTo();
    unsettled.response.fail("connect_refused", false);
    const draining = respondTo();
    draining.lab.draining = true;
    draining.response.fail("connect_refused", true);
    const open = respondTo();
    open.response.fail("connect_refused", true);
    const closing = await Promise.all([unsettled, draining, open].map(({ client }) => client.ended()));
    expect(closing.map(({ headers }) => fieldsOf(headers, "connection"))).toEqual([["close"], ["close"], []]);
    expect(closing.map(({ closed }) => closed)).toEqual([true, true, false]);
  });

  test("closes the connection of a client that awaits a 100 which it was never sent", async () => {
    const { client, response } = respondTo({ method: "POST", bodyLength: 5, expectsContinue: true });
    response.fail("connect_refused", true);
    expect(fieldsOf((await client.ended()).headers, "connection")).toEqual(["close"]);
  });

  test("counts no bytes to HEAD", async () => {
    const { client, response, record } = respondTo({ method: "HEAD" });
    response.fail("connect_refused", true);
    expect([(await client.ended()).body.length, record.bytesOut]).toEqual([0, 0]);
  });

  test("is what `onError` gives in its place", async () => {
    const { client, response, record } = respondTo(
      {},
      { onError: ({ respond }) => respond({ status: 418, body: "mine" }) },
    );
    response.fail("connect_refused", true);
    expect(await client.ended()).toMatchObject({ status: 418, body: Buffer.from("mine") });
    expect([record.status, record.error, record.bytesOut]).toEqual([418, "connect_refused", 4]);
  });
});

describe("an app that responds in the proxy's place", () => {
  function leaveTo(onError: OnError) {
    const scene = respondTo();
    scene.record.onError = onError;
    return scene;
  }

  test("gets the error and what the response has to do", async () => {
    const seen: [ProxyError, object][] = [];
    const scene = leaveTo((error, lead) => {
      seen.push([error, lead]);
      scene.client.exchange.respondAsApp(418, [], "mine");
    });
    scene.record.setCookie = "a=1";
    scene.response.fail("connect_refused", false);
    expect(await scene.client.ended()).toMatchObject({ status: 418, complete: true });
    expect(seen).toMatchObject([[{ code: "connect_refused" }, { close: true, last: true, setCookie: "a=1" }]]);
    expect(scene.response.committed).toBe(true);
    scene.record.finish(true);
    expect(scene.record.status).toBe(418);
  });

  test("leaves the response to the proxy when it throws", async () => {
    const { client, response } = leaveTo(() => {
      throw new Error("an app's own");
    });
    response.fail("connect_refused", true);
    expect(await client.ended()).toMatchObject({ status: 502, complete: true });
  });

  test("is cut off when it throws after it has begun a response", async () => {
    const scene = leaveTo(() => {
      scene.client.exchange.begin(200, "OK", [], false);
      scene.client.exchange.write("begun");
      throw new Error("an app's own");
    });
    scene.response.fail("connect_refused", true);
    expect(await scene.client.ended()).toMatchObject({ complete: false, closed: true });
  });

  test("keeps a response that it has begun before", async () => {
    const { client, response, record } = respondTo();
    client.exchange.respondAsApp(203, [], "mine");
    response.fail("connect_refused", true);
    expect(await client.ended()).toMatchObject({ status: 203, body: Buffer.from("mine") });
    expect(record.status).toBe(203);
  });

  test("cuts off an upstream's response when it has begun one meanwhile", async () => {
    const { client, response, record, slow } = respondTo();
    response.begin(200, "OK", [], false);
    response.write(Buffer.from("one"), slow);
    client.exchange.begin(203, "", [], false);
    response.flush();
    await settle();
    expect([record.error, [...record.flags]]).toEqual(["internal", ["truncated"]]);
  });
});

test("a hook's response is framed by the proxy", async () => {
  const { client, response, record } = respondTo();
  response.sendHookResponse({ status: 200, headers: { "Content-Length": "99", Connection: "x" }, body: "größe" }, true);
  const received = await client.ended();
  expect([received.status, received.body.toString(), record.bytesOut]).toEqual([200, "größe", 7]);
  expect(fieldsOf(received.headers, "content-length")).toEqual(["7"]);
  expect(fieldsOf(received.headers, "connection")).toEqual([]);
});

test("OPTIONS * is responded to by the proxy itself", async () => {
  const { client, response } = respondTo({ method: "OPTIONS", target: "*" });
  response.respondToOptions();
  const received = await client.ended();
  expect([received.status, fieldsOf(received.headers, "allow").length, received.body.length]).toEqual([204, 1, 0]);
});
