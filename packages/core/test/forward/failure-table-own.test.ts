/** The table of failures, 12 to 17, 19 and 25: what clients, operators and this proxy do. See test/http/failure-table.test.ts. */

import { describe, expect, test } from "vitest";
import type { LabRequest } from "../support/forward-lab.ts";
import { own } from "../support/scene-result.ts";
import { observe, play, post, type Scene, startScene } from "../support/scripted-scene.ts";
import { type Respond, type ScriptedUpstream, scriptedUpstream } from "../support/scripted-upstream.ts";

/** Sends half of a response. */
const half: Respond = (request) => {
  request.begin(200, [], 10);
  request.write("half");
};

describe("12 a client that leaves is 499 in the log, and nobody's failure", () => {
  test.each<[string, LabRequest, Respond, 0 | 200]>([
    ["before the headers", {}, () => {}, 0],
    ["within the answer", {}, half, 200],
    ["within its own body", { method: "PUT", bodyLength: 10 }, () => {}, 0],
  ])("%s", async (_name, request, respond, status) => {
    const [upstream, other] = [scriptedUpstream("a", respond), scriptedUpstream("b")];
    const told = await play({
      upstreams: [upstream, other],
      request,
      meanwhile: async ({ client, lab }) => {
        if (request.bodyLength !== undefined) client.send(Buffer.from("half"));
        await lab.clock.advanceAsync(1);
        expect(upstream.received[0]?.body).toBe(request.bodyLength === undefined ? "" : "half");
        expect(client.received.body.toString()).toBe(status === 200 ? "half" : "");
        client.leave();
      },
    });
    expect(told).toMatchObject({ client: [status], logged: [499, "client_aborted"], flags: [], blamed: [] });
    expect(told).toMatchObject({ attempts: ["a client_aborted"], outcomes: ["a aborted"] });
    expect(other.received).toEqual([]);
    expect(upstream.received.map(({ aborted }) => aborted)).toEqual([true]);
  });
});

test("13 a body that stops coming is 408 and the end of the connection", async () => {
  const upstream = scriptedUpstream("a");
  const told = await play({
    upstreams: [upstream],
    request: { method: "PUT", bodyLength: 1_000_000 },
    settings: { requestBodyTimeout: "60ms" },
    meanwhile: async ({ client, lab }) => {
      client.send(Buffer.from("some"));
      await lab.clock.advanceAsync(59);
      expect(lab.requests).toEqual([]);
      await lab.clock.advanceAsync(100);
      expect(client.received).toMatchObject({ status: 408, complete: true });
    },
  });
  expect(told).toMatchObject({ client: [408, "request_timeout"], token: "http_request_error", connection: "closed" });
  expect(told).toMatchObject({ logged: [408, "request_timeout"], outcomes: ["a aborted"], blamed: [] });
  expect(upstream.received).toMatchObject([{ body: "some", aborted: true }]);
});

describe("14, 15 and 16 a request that is not forwarded never reaches an upstream", () => {
  test.each<[string, LabRequest, number, string, string]>([
    ["malformed", { headers: ["Host", "i"] }, 400, "bad_request", "http_request_error"],
    [
      "too many headers",
      { headers: Array.from({ length: 200 }, () => ["X", "1"]).flat() },
      431,
      "headers_too_large",
      "http_request_error",
    ],
    ["a body over the limit", { method: "POST", bodyLength: 5_000 }, 413, "body_too_large", "http_request_error"],
    ["a strange coding", { headers: ["Transfer-Encoding", "gzip"] }, 501, "not_implemented", "http_request_error"],
    ["TRACE", { method: "TRACE" }, 405, "method_not_allowed", "http_request_denied"],
  ])("%s closes the connection", async (_name, request, status, code, token) => {
    const upstream = scriptedUpstream("a");
    const told = await play({ upstreams: [], request, options: limited(upstream) });
    expect(told).toMatchObject({ client: [status, code], token, answer: "whole", connection: "closed", attempts: [] });
    expect(told).toMatchObject({ logged: [status, code], outcomes: [], blamed: [] });
    expect(upstream.received).toEqual([]);
  });

  test("without a route keeps it", async () => {
    const upstream = scriptedUpstream("a");
    const request = { rawHeaders: ["Host", "elsewhere"] };
    const told = await play({ upstreams: [], request, options: limited(upstream) });
    expect(told).toMatchObject({ ...own, client: [404, "no_route"], token: "destination_not_found", attempts: [] });
    expect(told.logged).toEqual([404, "no_route"]);
    expect(upstream.received).toEqual([]);
  });

  test("a body that turns out to be over the limit is 413 too, and closes both connections", async () => {
    const upstream = scriptedUpstream("a");
    const told = await play({
      upstreams: [],
      request: { method: "POST", bodyLength: "unknown" },
      options: limited(upstream),
      meanwhile: async ({ client, lab }) => {
        client.send(Buffer.from("x".repeat(1_024)));
        await lab.clock.advanceAsync(1);
        expect(upstream.received).toMatchObject([{ aborted: false }]);
        expect(client.received.status).toBe(0);
        client.send(Buffer.from("x"));
      },
    });
    expect(told).toMatchObject({ client: [413, "body_too_large"], answer: "whole", connection: "closed" });
    expect(told).toMatchObject({ logged: [413, "body_too_large"], outcomes: ["a aborted"], blamed: [] });
    expect(upstream.received).toMatchObject([{ aborted: true }]);
  });

  function limited({ url }: ScriptedUpstream) {
    return {
      pools: { p: { upstreams: [{ id: "a", url }] } },
      routes: [{ host: "h", pool: "p", maxBodySize: "1kb" }],
    } as const;
  }
});

describe("17 no room is 503 with Retry-After, without a dial, and keeps the connection", () => {
  test.each<[string, Scene["settings"], string]>([
    ["nothing available", { panic: "fail" }, "none_available"],
    ["a queue that is full", { queue: { max: 0 } }, "queue_full"],
    ["a wait that is too long", { queue: { timeout: "60ms" } }, "queue_timeout"],
  ])("%s", async (_name, settings, code) => {
    const upstream = scriptedUpstream("a");
    const upstreams = [{ id: "a", url: upstream.url, maxInFlight: 1 }];
    const lab = startScene({ upstreams: [], options: { upstreams, ...settings } });
    const { pool, clock } = lab;
    if (code === "none_available") pool.setState("a", "disabled");
    const [member] = pool.upstreams;
    const before = pool.begin(member as NonNullable<typeof member>);
    const client = lab.begin("/", post);
    await clock.advanceAsync(59);
    expect(client.received.complete).toBe(code !== "queue_timeout");
    await clock.advanceAsync(1);
    expect(client.received.complete).toBe(true);
    before.settle("aborted");
    const told = await observe(lab, client);
    expect(told).toMatchObject({ ...own, flags: code === "queue_timeout" ? ["queued"] : [], retryAfter: true });
    expect(told).toMatchObject({ client: [503, code], logged: [503, code], attempts: [], blamed: [] });
    expect(upstream.received).toEqual([]);
  });
});

describe("19 a hook that throws", () => {
  const fail = () => {
    throw new Error("hook");
  };

  test("before the request is 500, and nothing is sent", async () => {
    const upstream = scriptedUpstream("a");
    const told = await play({ upstreams: [upstream], request: post, hooks: { onRequest: fail } });
    expect(told).toMatchObject({ ...own, client: [500, "request_hook_failed"], token: "proxy_internal_error" });
    expect(told).toMatchObject({ logged: [500, "request_hook_failed"], attempts: [], blamed: [] });
    expect(upstream.received).toEqual([]);
  });

  test("before the answer is 502, asked of nobody else, and the upstream's connection ends", async () => {
    const [upstream, other] = [scriptedUpstream("a", half), scriptedUpstream("b")];
    const told = await play({ upstreams: [upstream, other], hooks: { onResponse: fail } });
    expect(told).toMatchObject({ ...own, client: [502, "response_hook_failed"], token: "proxy_internal_error" });
    expect(told).toMatchObject({ logged: [502, "response_hook_failed"], attempts: ["a 200"], blamed: [] });
    expect(other.received).toEqual([]);
    expect(upstream.received).toMatchObject([{ aborted: true }]);
  });
});

test("25 a reload leaves a request on its way alone, and lets its upstream go when it has its answer", async () => {
  const [leaving, staying] = [scriptedUpstream("a", () => {}), scriptedUpstream("b")];
  const told = await play({
    upstreams: [leaving],
    meanwhile: async ({ lab }) => {
      const drained: string[] = [];
      lab.on("member", ({ upstream, change }) => change === "drained" && drained.push(upstream));
      lab.reload({ upstreams: [{ id: "b", url: staying.url }] });
      expect(lab.pool.upstreams.map(({ id }) => id)).toEqual(["b"]);
      await lab.clock.advanceAsync(1_000);
      expect([leaving.received[0]?.aborted, leaving.closings, drained]).toEqual([false, 0, []]);
      leaving.received[0]?.respond(200, [], "done");
      await lab.clock.advanceAsync(1_000);
      expect([leaving.closings, drained]).toEqual([1, ["a"]]);
    },
  });
  expect(told).toMatchObject({
    client: [200],
    answer: "whole",
    connection: "kept",
    logged: [200],
    attempts: ["a 200"],
  });
  expect(staying.received).toEqual([]);
});
