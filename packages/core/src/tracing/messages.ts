/** The messages of the diagnostics channels. docs/observability.md describes when each is published. */

import type { UpstreamAddress } from "../config/resolved.ts";
import type { ErrorCode } from "../errors.ts";
import type { RequestFlag, RetryReason } from "../events.ts";

/** The ids of a span (W3C Trace Context), in lower-case hexadecimal. */
export interface SpanIds {
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
}

/** Calls `code` once, during the call, in an async context of the subscriber. */
export type RunInContext = (code: () => void) => void;

/**
 * A request, for `evenkeel:request`. `request`: an HTTP request of a client. `upgrade`: a WebSocket handshake and its tunnel.
 * `outbound`: a request of the app to a pool.
 */
export interface RequestTrace {
  readonly kind: "request" | "upgrade" | "outbound";
  /** Undefined for an outbound request. */
  readonly requestId: string | undefined;
  /**
   * Code of the app comes before the proxy: its HTTP server, or its call for an outbound request. Whatever is active then may stand
   * for the request. False behind `proxy.listen` and `createServer`.
   */
  readonly behindApp: boolean;
  readonly method: string;
  readonly scheme: "http" | "https";
  /** The host as the client named it, with its port if there is one. Empty if unknown. */
  readonly host: string;
  /** The path as the client sent it, without the query. Empty if the target is malformed. */
  readonly path: string;
  /** With the question mark; empty without a query. */
  readonly query: string;
  /** "1.0", "1.1" or "2.0". Empty for an outbound request. */
  readonly httpVersion: string;
  /** The client's address as far as it can be trusted, and that of the peer. Empty if unknown, and for an outbound request. */
  readonly client: string;
  readonly peer: string;
  /** Header names and values by turns, as received. */
  readonly headers: readonly string[];
  /** The value of a header, several joined by commas. `lowerName` is in lower case. */
  header(lowerName: string): string | undefined;
  /** Undefined when no route matches. An `onRequest` hook may change the pool. */
  readonly route: string | undefined;
  readonly pool: string | undefined;

  /** To be set by a subscriber of `start`: the span that stands for the request in events and logs. */
  span: SpanIds | undefined;
  /** To be set by a subscriber of `start`: hooks, listeners and attempts of the request run in it. */
  run: RunInContext | undefined;

  /** From here on: known at the end. The status of the response; 499 if the client closed the connection; 101 for a tunnel. */
  readonly status: number | undefined;
  readonly grpcStatus: number | undefined;
  readonly error: ErrorCode | undefined;
  /** The cause of `error`, if known. */
  readonly cause: unknown;
  /** The id of the upstream that was tried last. */
  readonly upstream: string | undefined;
  readonly flags: readonly RequestFlag[];
  /** Bytes of the bodies, or through the tunnel: from the client, and to it. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** What has happened to a request between its start and its end, for `evenkeel:request:event`. */
export type RequestTraceEvent =
  /** The request is retried. */
  | {
      readonly request: RequestTrace;
      readonly type: "retry";
      /** The id of the upstream that has failed. */
      readonly upstream: string;
      readonly reason: RetryReason;
    }
  /** The request has waited: in the queue for an upstream with room, or for the end of an outage of the pool. */
  | {
      readonly request: RequestTrace;
      readonly type: "wait";
      readonly for: "queue" | "outage";
      readonly waitedMs: number;
    };

/**
 * How an upstream was selected: by the policy; `affinity`: the client is bound to it; `authenticated`: it has a connection on
 * which the client is authenticated; `stale`: the same one again, since the upstream had closed the reused connection.
 */
export type PickedBy = "policy" | "affinity" | "authenticated" | "stale";

/** Why an upstream was picked, as it was at that moment. */
export interface PickTrace {
  readonly by: PickedBy;
  /** The name of the pool's policy. */
  readonly policy: string;
  /** The number of upstreams to pick from. */
  readonly candidates: number;
  /** Requests in flight and tunnels of the upstream, without this request. */
  readonly inFlight: number;
  /** Its effective weight. */
  readonly weight: number;
  /** No available upstream could be connected, and this one is not available. */
  readonly lastResort: boolean;
  /** No upstream of the pool was available. */
  readonly panic: boolean;
}

/** One attempt, for `evenkeel:attempt`. */
export interface AttemptTrace {
  readonly request: RequestTrace;
  /** 0 for the first attempt of the request. */
  readonly number: number;
  readonly pool: string;
  /** The id of the upstream. */
  readonly upstream: string;
  readonly address: UpstreamAddress;
  /** "1.1" or "2"; undefined where the upstream chooses. */
  readonly httpVersion: "1.1" | "2" | undefined;
  readonly method: string;
  /** Path and query as sent to the upstream. */
  readonly target: string;
  readonly pick: PickTrace;

  /** For subscribers of `start`: sets a header of this attempt in place of those of the same name. Throws for one that cannot be sent. */
  setHeader(name: string, value: string): void;
  /** For subscribers of `start`: removes a header of this attempt. */
  removeHeader(name: string): void;
  /**
   * To be set by a subscriber of `start`. A handshake is sent through Node's HTTP client, and is sent in this context, so that an
   * instrumentation of that client can be told to ignore it.
   */
  run: RunInContext | undefined;

  /** From here on: known at the end. The status of the upstream's response. */
  readonly status: number | undefined;
  readonly grpcStatus: number | undefined;
  readonly error: ErrorCode | undefined;
  /** Details of a failure to connect, at most 256 characters. */
  readonly cause: string | undefined;
  /** Milliseconds until the connection was usable. Undefined for a reused connection, and without a connection. */
  readonly connectMs: number | undefined;
  /** Milliseconds to the response headers. */
  readonly headersMs: number | undefined;
}

/** One probe of an upstream, for `evenkeel:probe`. */
export interface ProbeTrace {
  readonly pool: string;
  /** The id of the upstream. */
  readonly upstream: string;
  readonly address: UpstreamAddress;
  readonly type: "http" | "tcp" | "grpc";
  readonly method: string;
  readonly path: string;
  /** To be set by a subscriber of `start`: the probe is sent in it. */
  run: RunInContext | undefined;
  /** From here on: known at the end. */
  readonly ok: boolean;
  /** Such as `status 200` or `connect_refused`. */
  readonly reason: string;
  /** Details of a failure to connect, at most 256 characters. */
  readonly cause: string | undefined;
}
