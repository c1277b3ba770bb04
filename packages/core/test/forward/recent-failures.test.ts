// The last failed requests of a proxy.

import { describe, expect, test } from "vitest";
import { mergeFailures } from "../../src/observe/recent-failures.ts";
import { until } from "../support/event-loop.ts";
import { startLab } from "../support/forward-lab.ts";
import { scriptedUpstream } from "../support/scripted-upstream.ts";

const trace = "4bf92f3577b34da6a3ce929d0e0e4736";

function oneUpstream(onRequest?: () => void) {
  const upstream = scriptedUpstream("a");
  const options = { upstreams: [{ id: "a", url: upstream.url }], retry: { connectFor: "0s" }, outlierDetection: false };
  const lab = startLab(options as never, onRequest && { onRequest });
  return { upstream, lab, failures: () => lab.records.failures.list() };
}

test("a request fails by its status or its error, and a success and a client that leaves do not", async () => {
  const { upstream, lab, failures } = oneUpstream();
  await lab.fetch("/fine");
  upstream.respond = (request) => request.respond(404, [], "no");
  await lab.fetch("/missing");
  upstream.respond = () => {};
  const leaving = lab.begin("/left");
  leaving.leave();
  await until(() => lab.requests.length === 3);
  expect(lab.requests.at(-1)).toMatchObject({ error: "client_aborted", status: 499 });
  expect(failures()).toEqual([]);

  upstream.respond = (request) => request.respond(500, [], "bad");
  await lab.fetch("/bad");
  upstream.refuses = true;
  await lab.fetch("/refused");
  expect(failures()).toMatchObject([
    {
      path: "/refused",
      status: 502,
      error: "connect_refused",
      attempts: [{ upstream: "a", error: "connect_refused" }],
    },
    { path: "/bad", status: 500, attempts: [{ upstream: "a", status: 500 }] },
  ]);
  expect(failures()[1]).not.toHaveProperty("error");
});

test("it has the facts of the request, without its query, its user information and its headers", async () => {
  const { upstream, lab, failures } = oneUpstream();
  upstream.respond = (request) => request.respond(503, [], "bad");
  const authorization = "Bearer hunter2";
  const headers = { authorization, traceparent: `00-${trace}-00f067aa0ba902b7-01` };
  await lab.fetch("/pay?card=4111", { method: "GET", headers });
  const [failure] = failures();
  const { time, requestId, durationMs, client: _, ...event } = lab.requests[0] as never as Record<string, unknown>;
  expect(failure).toEqual({
    ...{ time, requestId, durationMs, traceId: trace },
    ...{ method: "GET", host: event["host"], path: "/pay", status: 503, route: "/*", pool: "default", upstream: "a" },
    attempts: event["attempts"],
  });
  expect(JSON.stringify(failure)).not.toMatch(/hunter2|4111/);
  expect(Object.isFrozen(failure)).toBe(true);
});

test("its texts are bounded, and what the app throws can be anything", async () => {
  const thrown: unknown[] = [
    new Error(`cannot reach http://me:hunter2@db/ ${"x".repeat(5_000)}`, { cause: new Error("deeper") }),
    Object.assign(new Error("number"), { message: 5 }),
    Object.create(null),
    {
      toString() {
        throw new Error("hostile");
      },
    },
  ];
  const { lab, failures } = oneUpstream(() => {
    throw thrown.shift();
  });
  lab.on("exception", () => {});
  while (thrown.length > 0) await lab.fetch(`/${"a".repeat(1_000)}`);
  expect(failures()).toHaveLength(4);
  for (const { path, cause, error } of failures()) {
    expect(error).toBe("request_hook_failed");
    expect(path).toHaveLength(256);
    expect(cause?.length).toBeLessThanOrEqual(256);
  }
  expect(JSON.stringify(failures())).not.toContain("hunter2");
});

describe("the number of failures", () => {
  test("is at most 100, and clients cannot displace those of upstreams", async () => {
    const { upstream, lab, failures } = oneUpstream();
    upstream.respond = (request) => request.respond(500, [], "bad");
    for (let count = 0; count < 90; count++) {
      lab.clock.advance(1);
      await lab.fetch(`/bad/${count}`);
    }
    lab.reload({ upstreams: [{ id: "a", url: upstream.url }], routes: [{ path: "/bad" }] });
    for (let count = 0; count < 30; count++) {
      lab.clock.advance(1);
      await lab.fetch(`/.env/${count}`);
      await lab.fetch("/", { method: "GET", headers: { host: "" } });
    }
    const statuses = failures().map(({ status }) => status);
    const ofClients = Array.from({ length: 10 }, () => [400, 404]).flat();
    expect(statuses).toEqual([...ofClients, ...Array.from({ length: 80 }, () => 500)]);
    expect(failures()[20]).toMatchObject({ path: "/bad/89" });
    expect(failures().at(-1)).toMatchObject({ path: "/bad/10" });
  });

  test("is the same for several processes, the newest first", () => {
    const failureAt = (time: number) => ({ time, durationMs: 0 }) as never;
    const one = Array.from({ length: 80 }, (_, index) => failureAt(2 * index));
    const two = Array.from({ length: 80 }, (_, index) => failureAt(2 * index + 1));
    const times = mergeFailures([one, two]).map(({ time }) => time);
    expect(times).toEqual(Array.from({ length: 100 }, (_, index) => 159 - index));
  });
});
