import { describe, expect, test } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import type { ProxyOptions } from "../../src/config/options.ts";
import type { Member } from "../../src/pool/upstream.ts";
import { fieldsOf } from "../contract/client-exchange-harness.ts";
import { type ForwardLab, type LabRequest, startLab } from "../support/forward-lab.ts";
import {
  type Respond,
  refusingUpstream,
  type ScriptedUpstream,
  scriptedUpstream,
  type UpstreamRequest,
} from "../support/scripted-upstream.ts";

const grpc = ["Content-Type", "application/grpc"];
const call = { method: "POST", headers: [...grpc, "TE", "trailers"], bodyLength: "unknown" } as const;
const message = Buffer.from([0, 0, 0, 0, 2, 8, 1]);

/** A response with one message, and the status in its trailers. */
function ends(status: string): Respond {
  return (request) => {
    request.begin(200, grpc);
    request.write(message);
    request.end(["grpc-status", status]);
  };
}

/** A response that is a status alone. */
function refuses(status: string, ...more: readonly string[]): Respond {
  return (request) => trailersOnly(request, status, more);
}

function trailersOnly(request: UpstreamRequest, status: string, more: readonly string[] = []): void {
  request.begin(200, [...grpc, "grpc-status", status, ...more], 0);
  request.end();
}

function start(upstreams: readonly ScriptedUpstream[], options: Partial<ProxyOptions> = {}): ForwardLab {
  const members = upstreams.map(({ name, url }, index) => ({ id: `${name}${index}`, url }));
  return startLab({ upstreams: members, balance: "first", ...options } as ProxyOptions, { random: () => 0.5 });
}

/** Sends a call with one message, and resolves with its response. */
async function unary(lab: ForwardLab, request: LabRequest = {}) {
  const client = lab.begin("/test.Echo/Unary", { ...call, ...request });
  client.send(message);
  client.end();
  const ended = client.ended();
  await lab.clock.advanceAsync(1_000);
  return ended;
}

describe("a call", () => {
  test("gets its status in the trailers, which its event, attempt and count have", async () => {
    const upstream = scriptedUpstream("a", ends("5"));
    const lab = start([upstream]);
    const received = await unary(lab);
    expect(received).toMatchObject({ status: 200, complete: true, body: message, trailers: ["grpc-status", "5"] });
    expect(upstream.received[0]?.headers).toMatchObject({ "content-type": "application/grpc", te: "trailers" });
    expect(lab.requests[0]).toMatchObject({ status: 200, grpcStatus: 5, error: undefined });
    expect(lab.requests[0]?.attempts).toMatchObject([{ status: 200, grpcStatus: 5 }]);
    expect(lab.grpcCalls()).toMatchObject([{ pool: "default", status: "NOT_FOUND", count: 1 }]);
  });

  test("gets the trailers also when it has not asked for them: its status is there", async () => {
    const lab = start([scriptedUpstream("a", ends("0"))]);
    expect((await unary(lab, { headers: grpc })).trailers).toEqual(["grpc-status", "0"]);
    expect(lab.requests[0]?.grpcStatus).toBe(0);
  });

  test("may be ended by a head alone", async () => {
    const lab = start([scriptedUpstream("a", refuses("7", "grpc-message", "no%20entry"))]);
    const received = await unary(lab);
    expect(fieldsOf(received.headers, "grpc-status")).toEqual(["7"]);
    expect(fieldsOf(received.headers, "grpc-message")).toEqual(["no%20entry"]);
    expect(lab.requests[0]).toMatchObject({ status: 200, grpcStatus: 7 });
  });

  test("without a status, or with a malformed one, has failed with UNKNOWN", async () => {
    for (const trailers of [[], ["grpc-status", "fine"]]) {
      const upstream = scriptedUpstream("a", (request) => {
        request.begin(200, grpc);
        request.write(message);
        request.end(trailers);
      });
      const lab = start([upstream]);
      await unary(lab);
      expect(lab.requests[0]?.grpcStatus).toBe(2);
    }
  });

  test("has no status when the response is not one of gRPC", async () => {
    const lab = start([
      scriptedUpstream("a", (request) => request.respond(503, ["Content-Type", "text/html"], "down")),
    ]);
    expect(await unary(lab)).toMatchObject({ status: 503, body: Buffer.from("down") });
    expect(lab.requests[0]).not.toHaveProperty("grpcStatus");
    expect(lab.grpcCalls()).toEqual([]);
  });

  test("that its client cancels is CANCELLED, aborts the upstream's, and is no failure", async () => {
    const upstream = scriptedUpstream("a", (request) => request.begin(200, grpc));
    const lab = start([upstream]);
    const client = lab.begin("/test.Echo/Watch", call);
    await lab.clock.advanceAsync(10);
    client.leave();
    await lab.finished(1);
    expect(lab.requests[0]).toMatchObject({ status: 499, grpcStatus: 1, error: "client_aborted" });
    expect(upstream.received[0]?.aborted).toBe(true);
    expect(lab.pool.snapshot("first").upstreams[0]?.outcomes).toEqual({ aborted: 1 });
  });

  test("whose response breaks off is cut off, and has the status of the error", async () => {
    const upstream = scriptedUpstream("a", (request) => {
      request.begin(200, grpc);
      request.write(message);
      request.write(message);
      request.fail("response_truncated");
    });
    const lab = start([upstream]);
    expect(await unary(lab)).toMatchObject({ complete: false, closed: true });
    expect(lab.requests[0]).toMatchObject({
      grpcStatus: 14,
      error: "response_truncated",
      flags: expect.arrayContaining(["truncated"]),
    });
  });

  test("whose messages go both ways may be responded to before its end, over HTTP/2", async () => {
    const upstream = scriptedUpstream("a", (request) => {
      request.begin(200, grpc);
      request.flush();
      request.onChunk = (chunk) => request.write(chunk);
      request.whenEnded(() => request.end(["grpc-status", "0"]));
    });
    const lab = start([upstream]);
    const client = lab.begin("/test.Echo/Both", { ...call, connection: undefined });
    const { headers } = await client.when(({ status }) => status === 200);
    for (let count = 1; count <= 3; count++) {
      client.send(message);
      await lab.clock.advanceAsync(1);
      expect(client.received.body).toHaveLength(count * message.length);
    }
    client.end();
    expect((await client.ended()).trailers).toEqual(["grpc-status", "0"]);
    expect(fieldsOf(headers, "connection")).toEqual([]);
    expect((await lab.finished(1))[0]).toMatchObject({ grpcStatus: 0, flags: [] });
  });

  test("may be quiet for as long as its client wants to, over HTTP/2 on both sides alone", async () => {
    for (const [more, http2, status] of [
      [{ connection: undefined }, "h2c", "0"],
      [{ connection: undefined }, false, "2"],
      [{}, "h2c", "2"],
    ] as const) {
      const upstream = scriptedUpstream("a", (request) => request.whenEnded(() => trailersOnly(request, "0")));
      const lab = start([upstream], { connections: { http2 } });
      const client = lab.begin("/test.Echo/Upload", { ...call, ...more });
      client.send(message);
      await lab.clock.advanceAsync(600_000);
      client.send(message);
      client.end();
      await lab.clock.advanceAsync(1);
      expect(fieldsOf((await client.ended()).headers, "grpc-status")).toEqual([status]);
    }
  });

  test("of gRPC-Web is an ordinary request", async () => {
    const lab = start([scriptedUpstream("a", refuses("14"))]);
    const received = await unary(lab, { headers: ["Content-Type", "application/grpc-web+proto"] });
    expect(fieldsOf(received.headers, "grpc-status")).toEqual(["14"]);
    expect(lab.requests[0]).not.toHaveProperty("grpcStatus");
    expect(lab.requests[0]?.attempts).toHaveLength(1);
  });
});

describe("a locally generated response to a call", () => {
  test.each<[string, () => ForwardLab, string, string, object]>([
    [
      "with no upstream that can be connected",
      () => start([refusingUpstream()]),
      "14",
      "Bad Gateway (connect_refused)",
      { error: "connect_refused" },
    ],
    [
      "with no route",
      () => startLab({ pools: { a: {} }, routes: [{ path: "/other", pool: "a" }] }),
      "12",
      "Not Found (no_route)",
      { error: "no_route", pool: undefined },
    ],
    [
      "with a body over the limit",
      () =>
        startLab({
          pools: { a: { upstreams: [scriptedUpstream("a").url] } },
          routes: [{ pool: "a", maxBodySize: "1b" }],
        }),
      "8",
      "Payload Too Large (body_too_large)",
      { error: "body_too_large" },
    ],
  ])("%s is a head with a status", async (_, made, status, text, event) => {
    const lab = made();
    const received = await unary(lab);
    expect(received).toMatchObject({ status: 200, complete: true, body: Buffer.alloc(0) });
    expect(fieldsOf(received.headers, "content-type")).toEqual(["application/grpc"]);
    expect(fieldsOf(received.headers, "grpc-status")).toEqual([status]);
    expect(fieldsOf(received.headers, "grpc-message")).toEqual([text]);
    expect(fieldsOf(received.headers, "proxy-status")[0]).toContain("evenkeel; error=");
    expect(lab.requests[0]).toMatchObject({ status: 200, grpcStatus: Number(status), ...event });
  });

  test("whose head was refused is one too", async () => {
    const lab = start([scriptedUpstream("a")]);
    const received = await unary(lab, { headers: [...grpc, "Host", "other"] });
    expect([received.status, fieldsOf(received.headers, "grpc-status")]).toEqual([200, ["13"]]);
    expect(lab.requests[0]).toMatchObject({ grpcStatus: 13, error: "bad_request" });
  });
});

describe("UNAVAILABLE before any message", () => {
  test("is retried on another upstream, within attempts and budget", async () => {
    const lab = start([scriptedUpstream("a", refuses("14")), scriptedUpstream("b", ends("0"))]);
    const retried: unknown[] = [];
    lab.on("retry", ({ upstream, reason }) => retried.push([upstream, reason]));
    expect((await unary(lab)).trailers).toEqual(["grpc-status", "0"]);
    expect(lab.requests[0]).toMatchObject({ grpcStatus: 0, flags: ["retried"] });
    expect(lab.requests[0]?.attempts).toMatchObject([
      { upstream: "a0", status: 200, grpcStatus: 14 },
      { upstream: "b1", status: 200, grpcStatus: 0 },
    ]);
    expect(retried).toEqual([["a0", "grpc_unavailable"]]);
    expect(lab.pool.snapshot("first").retries).toEqual({ grpc_unavailable: 1 });
  });

  test("sends the whole body again", async () => {
    const b = scriptedUpstream("b", (request) => request.whenEnded(() => trailersOnly(request, "0")));
    const lab = start([scriptedUpstream("a", refuses("14")), b]);
    await unary(lab);
    expect(b.received[0]?.body).toBe(message.toString("latin1"));
  });

  test.each<[string, Partial<ProxyOptions>, Respond]>([
    ["without a budget", { retry: { budget: 0, minRetriesPerSecond: 0 } }, refuses("14")],
    ["when the options leave it out", { retry: { on: ["connect-failure", "reset"] } }, refuses("14")],
    ["when the upstream asks for none", {}, refuses("14", "grpc-retry-pushback-ms", "-1")],
    ["when the upstream asks for a long pause", {}, refuses("14", "grpc-retry-pushback-ms", "60000")],
    ["when the body was not kept", { retry: { bodyBuffer: "1b" } }, refuses("14")],
    ["behind a message", {}, ends("14")],
    [
      "behind a head that is not the end",
      {},
      (request) => {
        request.begin(200, [...grpc, "grpc-status", "14"]);
        request.end(["grpc-status", "14"]);
      },
    ],
    ["with another status", {}, refuses("8")],
  ])("is not retried %s", async (_, options, respond) => {
    const b = scriptedUpstream("b", ends("0"));
    const lab = start([scriptedUpstream("a", respond), b], options);
    await unary(lab);
    expect(lab.requests[0]?.attempts).toHaveLength(1);
    expect(b.received).toEqual([]);
  });

  test("waits for as long as the upstream asks", async () => {
    const b = scriptedUpstream("b", ends("0"));
    const lab = start([scriptedUpstream("a", refuses("14", "grpc-retry-pushback-ms", "800")), b]);
    const client = lab.begin("/test.Echo/Unary", call);
    client.end();
    await lab.clock.advanceAsync(790);
    expect(b.received).toHaveLength(0);
    await lab.clock.advanceAsync(20);
    expect(b.received).toHaveLength(1);
    await client.ended();
  });

  test("is the response if it is that of every upstream", async () => {
    const lab = start([scriptedUpstream("a", refuses("14", "grpc-message", "down"))], { retry: { attempts: 2 } });
    const received = await unary(lab);
    expect(fieldsOf(received.headers, "grpc-message")).toEqual(["down"]);
    expect(lab.requests[0]).toMatchObject({ grpcStatus: 14, error: undefined });
    expect(lab.requests[0]?.attempts).toHaveLength(3);
  });
});

describe("outlier detection", () => {
  const outlierDetection = { consecutiveFailures: 3 };

  test.each([
    ["2", true],
    ["4", true],
    ["13", true],
    ["15", true],
    ["1", false],
    ["3", false],
    ["8", false],
    ["12", false],
    ["16", false],
  ])("with the status %s ejects: %s", async (status, ejects) => {
    const a = scriptedUpstream("a", ends(status));
    const lab = start([a, scriptedUpstream("b", ends("0"))], { outlierDetection });
    for (let count = 0; count < 3; count++) await unary(lab);
    expect(lab.pool.get("a0")?.ejectedUntil !== undefined).toBe(ejects);
  });

  test("counts UNAVAILABLE in a head alone", async () => {
    const a = scriptedUpstream("a", refuses("14"));
    const lab = start([a, scriptedUpstream("b", ends("0"))], { outlierDetection });
    for (let count = 0; count < 3; count++) await unary(lab);
    expect(lab.pool.get("a0")?.ejectedUntil).toBeDefined();
    expect(lab.requests.map(({ grpcStatus }) => grpcStatus)).toEqual([0, 0, 0]);
  });

  test("does not count a deadline that the client has set", async () => {
    const a = scriptedUpstream("a", ends("4"));
    const lab = start([a, scriptedUpstream("b", ends("0"))], { outlierDetection });
    const headers = [...call.headers, "grpc-timeout", "1S"];
    for (let count = 0; count < 5; count++) await unary(lab, { headers });
    expect(lab.pool.get("a0")?.ejectedUntil).toBeUndefined();
  });

  test("uses failureStatuses, with the HTTP status of the same meaning", async () => {
    const options = { outlierDetection: { consecutiveFailures: 3, failureStatuses: [429] } };
    for (const [status, ejects] of [
      ["8", true],
      ["13", false],
    ] as const) {
      const lab = start([scriptedUpstream("a", ends(status)), scriptedUpstream("b", ends("0"))], options);
      for (let count = 0; count < 3; count++) await unary(lab);
      expect(lab.pool.get("a0")?.ejectedUntil !== undefined).toBe(ejects);
    }
  });
});

test("peak-ewma counts a failure that only the trailers show, and not how long the stream was", async () => {
  for (const [status, success] of [
    ["0", 1],
    ["13", 0.9],
  ] as const) {
    const upstream = scriptedUpstream("a", (request) => request.begin(200, grpc));
    const lab = start([upstream], { connections: { http2: "h2c" } });
    const client = lab.begin("/test.Echo/Watch", { ...call, connection: undefined });
    await lab.clock.advanceAsync(3_600_000);
    upstream.received[0]?.end(["grpc-status", status]);
    client.end();
    await client.ended();
    const { responsiveness } = lab.pool.upstreams[0] as Member;
    expect(responsiveness.successAt(lab.clock.now()) <= success).toBe(true);
    expect(responsiveness.costAt(lab.clock.now())).toBeLessThanOrEqual(limits.failurePenaltyMs);
  }
});

describe("grpc-timeout", () => {
  const within = (timeout: string) => ({ ...call, headers: [...call.headers, "grpc-timeout", timeout] });

  test("bounds the call: DEADLINE_EXCEEDED, and the upstream's call is aborted", async () => {
    const upstream = scriptedUpstream("a", () => {});
    const lab = start([upstream]);
    const client = lab.begin("/test.Echo/Unary", within("250m"));
    client.end();
    await lab.clock.advanceAsync(240);
    expect(upstream.received[0]).toMatchObject({ aborted: false, headers: { "grpc-timeout": "250m" } });
    await lab.clock.advanceAsync(20);
    const received = await client.ended();
    expect(fieldsOf(received.headers, "grpc-status")).toEqual(["4"]);
    expect(upstream.received[0]?.aborted).toBe(true);
    expect(lab.requests[0]).toMatchObject({ status: 200, grpcStatus: 4, error: "total_timeout" });
  });

  test("of none at all ends the call at once", async () => {
    const lab = start([scriptedUpstream("a", () => {})]);
    const client = lab.begin("/test.Echo/Unary", within("0n"));
    await lab.clock.advanceAsync(5);
    expect(fieldsOf((await client.ended()).headers, "grpc-status")).toEqual(["4"]);
  });

  test("does not extend timeouts.total, and one that is malformed bounds nothing", async () => {
    for (const timeout of ["10S", "soon"]) {
      const lab = start([scriptedUpstream("a", () => {})], { timeouts: { total: "1s" } });
      const client = lab.begin("/test.Echo/Unary", within(timeout));
      client.end();
      await lab.clock.advanceAsync(1_100);
      expect(fieldsOf((await client.ended()).headers, "grpc-status")).toEqual(["4"]);
    }
  });

  test("that is over when the upstream ends the call is not a failure of the upstream", async () => {
    const upstream = scriptedUpstream("a", (request) => request.fail("reset"));
    const lab = start([upstream]);
    const client = lab.begin("/test.Echo/Unary", within("0n"));
    client.end();
    await lab.clock.advanceAsync(10);
    expect(fieldsOf((await client.ended()).headers, "grpc-status")).toEqual(["4"]);
    expect(lab.pool.snapshot("first").upstreams[0]?.outcomes).toEqual({ total_timeout: 1 });
  });

  test("of a later attempt is the time that is left", async () => {
    const b = scriptedUpstream("b", ends("0"));
    const lab = start([scriptedUpstream("a", refuses("14", "grpc-retry-pushback-ms", "400")), b]);
    const client = lab.begin("/test.Echo/Unary", within("1S"));
    client.end();
    await lab.clock.advanceAsync(500);
    await client.ended();
    expect(b.received[0]?.headers["grpc-timeout"]).toBe("600m");
  });
});
