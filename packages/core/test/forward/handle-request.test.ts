import { describe, expect, test } from "vitest";
import { ProxyError } from "../../src/errors.ts";
import { handleRequest, type RequestOptions } from "../../src/forward/handle-request.ts";
import { readRequest } from "../../src/request/routed-request.ts";
import { settle } from "../../src/runtime/virtual-clock.ts";
import { fieldsOf } from "../contract/client-exchange-harness.ts";
import { type ForwardLab, type LabOptions, startLab, toResponse } from "../support/forward-lab.ts";
import { ScriptedClient } from "../support/scripted-client.ts";
import type { ScriptedRequest } from "../support/scripted-request.ts";
import { scriptedUpstream } from "../support/scripted-upstream.ts";

function start(surroundings: LabOptions = {}) {
  const upstream = scriptedUpstream("a");
  const options = { pools: { api: { upstreams: [upstream.url] } }, routes: [{ pool: "api", path: "/api" }] };
  return { lab: startLab(options, surroundings), upstream };
}

/** Handles a request of which the server has found something before it hands it over. */
async function handle(
  lab: ForwardLab,
  request: ScriptedRequest,
  prepare: (client: ScriptedClient) => void,
  options: RequestOptions = {},
) {
  const client = new ScriptedClient(request);
  const received = readRequest(client.exchange, lab.routing, options);
  prepare(client);
  await settle();
  handleRequest(lab.context, lab.routing, client.exchange, received, options);
  return client;
}

describe("a request is refused", () => {
  test.each<[string, ScriptedRequest, number, string]>([
    ["that no route matches", { target: "/other" }, 404, "no_route"],
    ["with two hosts", { target: "/api", headers: ["Host", "other"] }, 400, "bad_request"],
    ["of a method that is not forwarded", { method: "TRACE", target: "/api" }, 405, "method_not_allowed"],
    ["of another version", { target: "/api", httpVersion: "2.0" }, 400, "bad_request"],
    ["whose path climbs", { target: "/api/../etc" }, 400, "bad_request"],
  ])("%s", async (_, request, status, code) => {
    const { lab, upstream } = start();
    const { target = "/", ...rest } = request;
    const received = await lab.begin(target, rest).ended();
    expect([received.status, received.complete]).toEqual([status, true]);
    expect(fieldsOf(received.headers, "proxy-status")[0]).toContain(`details="${code}"`);
    expect((await lab.finished(1))[0]).toMatchObject({ status, error: code, attempts: [] });
    expect(upstream.received).toEqual([]);
  });

  test("with the code that its adapter gives, and is the last on its connection", async () => {
    const { lab, upstream } = start();
    const received = await lab.begin("/api", { options: { refusal: "closed" } }).ended();
    expect([received.status, received.closed]).toEqual([503, true]);
    expect(upstream.received).toEqual([]);
  });

  test("whose rest was found to be malformed before it was handed over", async () => {
    const { lab, upstream } = start();
    const request = { method: "POST", target: "/api", bodyLength: "unknown" } as const;
    const client = await handle(lab, request, (one) => one.sendMalformed());
    expect(await client.ended()).toMatchObject({ status: 400, complete: true, closed: true });
    expect(upstream.received).toEqual([]);
  });
});

test("OPTIONS * gets its response without an upstream", async () => {
  const { lab, upstream } = start();
  expect(await lab.fetch("*", { method: "OPTIONS" })).toMatchObject({ status: 204, text: "" });
  expect((await lab.finished(1))[0]).toMatchObject({ status: 204, error: undefined, attempts: [] });
  expect(upstream.received).toEqual([]);
});

describe("a body that was read in front of the proxy", () => {
  const post = { method: "POST", bodyLength: "unknown" } as const;

  test("is forwarded as it is given, with its own length", async () => {
    const { lab, upstream } = start();
    expect((await lab.fetch("/api", { ...post, options: { body: Buffer.from("given") } })).text).toBe("a");
    expect(upstream.received[0]).toMatchObject({ body: "given", bodyEnded: true, head: { bodyLength: 5 } });
  });

  test("and is not given is 500, and says where the proxy belongs", async () => {
    const { lab, upstream } = start();
    const client = await handle(lab, { ...post, target: "/api" }, ({ exchange }) => {
      exchange.bodyTaken = true;
    });
    const { status, text } = toResponse(await client.ended());
    expect([status, text]).toEqual([500, expect.stringContaining("mount the proxy in front of it")]);
    expect((await lab.finished(1))[0]).toMatchObject({ error: "body_consumed" });
    expect(upstream.received).toEqual([]);
  });

  test("and cannot be restored is the error that the adapter throws", async () => {
    const { lab } = start();
    const body = () => {
      throw new ProxyError("body_too_large", "more than the parser keeps");
    };
    const { status, text } = await lab.fetch("/api", { ...post, options: { body } });
    expect([status, text]).toEqual([413, expect.stringContaining("more than the parser keeps")]);
  });
});

describe("an app that responds after all", () => {
  test("ends the upstream's request, and its status is recorded", async () => {
    const { lab, upstream } = start();
    upstream.respond = () => {};
    const left = new AbortController();
    const client = lab.begin("/api", { options: { leftToApp: left.signal } });
    await settle();
    left.abort();
    client.exchange.respondAsApp(418, [], "mine");
    expect(await client.ended()).toMatchObject({ status: 418, complete: true });
    expect((await lab.finished(1))[0]).toMatchObject({ status: 418, error: undefined });
    expect(upstream.received[0]?.aborted).toBe(true);
    expect(lab.pool.inFlight).toBe(0);
  });

  test("while a hook runs, has its response recorded, and no upstream is asked", async () => {
    let proceed = () => {};
    const onRequest = () =>
      new Promise<void>((resolve) => {
        proceed = resolve;
      });
    const { lab, upstream } = start({ onRequest });
    const left = new AbortController();
    const client = lab.begin("/api", { options: { leftToApp: left.signal } });
    left.abort();
    client.exchange.respondAsApp(418, [], "mine");
    proceed();
    await client.ended();
    expect((await lab.finished(1))[0]).toMatchObject({ status: 418, error: undefined, attempts: [] });
    expect(upstream.received).toEqual([]);
  });

  test("to a client that has left while a hook ran, is recorded as aborted by the client", async () => {
    let proceed = () => {};
    const onRequest = () =>
      new Promise<void>((resolve) => {
        proceed = resolve;
      });
    const { lab } = start({ onRequest });
    const left = new AbortController();
    const client = lab.begin("/api", { options: { leftToApp: left.signal } });
    left.abort();
    client.leave();
    await settle();
    proceed();
    expect((await lab.finished(1))[0]).toMatchObject({ status: 499, error: "client_aborted", attempts: [] });
  });
});

describe("while a hook runs", () => {
  function hanging() {
    let proceed = () => {};
    const onRequest = () =>
      new Promise<void>((resolve) => {
        proceed = resolve;
      });
    return { ...start({ onRequest }), proceed: () => proceed() };
  }

  test("closing responds 503, and the hook's outcome is ignored", async () => {
    const { lab, upstream, proceed } = hanging();
    const client = lab.begin("/api");
    lab.inFlight.destroyAll();
    expect(await client.ended()).toMatchObject({ status: 503, complete: true });
    proceed();
    await settle();
    expect(lab.requests).toMatchObject([{ status: 503, error: "closed" }]);
    expect([upstream.received.length, await lab.inFlight.emptyWithin(0, lab.clock)]).toEqual([0, true]);
  });

  test("a malformed rest refuses the request when the hook has ended", async () => {
    const { lab, upstream, proceed } = hanging();
    const client = lab.begin("/api", { method: "POST", bodyLength: "unknown" });
    client.sendMalformed();
    await settle();
    proceed();
    expect(await client.ended()).toMatchObject({ status: 400, complete: true });
    expect(upstream.received).toEqual([]);
  });
});

describe("a client that leaves", () => {
  test("ends its upstream's request, and is recorded once as 499", async () => {
    const { lab, upstream } = start();
    upstream.respond = () => {};
    const client = lab.begin("/api");
    await settle();
    client.leave();
    await settle();
    expect(lab.requests).toMatchObject([
      { status: 499, error: "client_aborted", attempts: [{ error: "client_aborted" }] },
    ]);
    expect([upstream.received[0]?.aborted, lab.pool.inFlight]).toEqual([true, 0]);
  });

  test("within the response is recorded as 499, with what was sent", async () => {
    const { lab, upstream } = start();
    upstream.respond = (request) => {
      request.begin(200);
      request.write("one");
    };
    const client = lab.begin("/api");
    await client.when(({ status }) => status === 200);
    client.leave();
    await settle();
    expect(lab.requests).toMatchObject([{ status: 499, error: "client_aborted", bytesOut: 3 }]);
    expect(upstream.received[0]?.aborted).toBe(true);
  });
});

test("a slow client holds its upstream back, and gets all of the response", async () => {
  const { lab, upstream } = start();
  const size = 60_000;
  upstream.respond = (request) => {
    request.begin(200);
    for (let chunk = 0; chunk < 20; chunk++) request.write("x".repeat(size));
    request.end();
  };
  const client = lab.begin("/api");
  client.pause();
  await settle();
  expect(client.received.status).toBe(0);
  expect(upstream.received[0]?.heldSteps).toBeGreaterThan(10);
  client.resume();
  expect((await client.ended()).body.length).toBe(20 * size);
  expect((await lab.finished(1))[0]).toMatchObject({ status: 200, bytesOut: 20 * size });
});
