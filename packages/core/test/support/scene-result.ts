import { expect } from "vitest";
import type { RequestEvent } from "../../src/events.ts";
import type { ProxySnapshot } from "../../src/snapshot.ts";

/** The result of one request: at the client, in events and in the snapshot. */
export interface SceneResult {
  /** The status at the client, and the code in Proxy-Status; 0 without a response. */
  readonly client: readonly [status: number, code?: string];
  /** The error type of RFC 9209. */
  readonly token: string | undefined;
  readonly retryAfter: boolean;
  /** The response was complete, was cut off, or never began. */
  readonly answer: "whole" | "cut" | "none";
  /** Whether the client's connection can carry another request. */
  readonly connection: "kept" | "closed";
  /** Status and error of the request event. */
  readonly logged: readonly [status: number, error?: string];
  readonly flags: RequestEvent["flags"];
  /** Every attempt, as in `a reset` or `b 200`. */
  readonly attempts: readonly string[];
  /** The upstreams that the failure counts against. */
  readonly blamed: readonly string[];
  /** The outcome of each attempt, as in `a stale`. */
  readonly outcomes: readonly string[];
}

/** A locally generated response that keeps the client's connection. */
export const own = { answer: "whole", connection: "kept", retryAfter: false, flags: [] } as const;

/** The response at the client. */
export interface ClientView {
  /** 0 without a response. */
  readonly status: number;
  readonly complete: boolean;
  /** The value of a field of the response; empty if it is absent. */
  readonly field: (name: string) => string;
  readonly connection: SceneResult["connection"];
}

/** The result of the only request of a proxy. It has exactly one request event and one count, and nothing is in flight. */
export function sceneResult(
  { status, complete, field, connection }: ClientView,
  events: readonly RequestEvent[],
  { requests, pools }: Pick<ProxySnapshot, "requests" | "pools">,
): SceneResult {
  expect(events).toHaveLength(1);
  const [event] = events as [RequestEvent];
  expect(requests.map(({ code, count }) => [code, count])).toEqual([[event.status, 1]]);
  expect(pools.map(({ inFlight, queueDepth }) => [inFlight, queueDepth])).toEqual(pools.map(() => [0, 0]));
  const members = pools.flatMap((pool) => pool.upstreams);
  const proxyStatus = field("proxy-status");
  return {
    client: pair(status, /details="(\w+)"/.exec(proxyStatus)?.[1]),
    token: /error=(\w+)/.exec(proxyStatus)?.[1],
    retryAfter: /^\d+$/.test(field("retry-after")),
    answer: status === 0 ? "none" : complete ? "whole" : "cut",
    connection,
    logged: pair(event.status, event.error),
    flags: event.flags,
    attempts: event.attempts.map(({ upstream, status: code, error }) => `${upstream} ${error ?? code}`),
    blamed: members.filter(({ lastFailure }) => lastFailure !== null).map(({ id }) => id),
    outcomes: members.flatMap(({ id, outcomes }) => Object.keys(outcomes).map((outcome) => `${id} ${outcome}`)),
  };
}

function pair(status: number, code: string | undefined): [status: number, code?: string] {
  return code === undefined ? [status] : [status, code];
}
