import type { IncomingMessage, ServerResponse } from "node:http";
import { awaitsContinue } from "../client/node/expect-continue.ts";
import type { RoutedRequest } from "../request/routed-request.ts";
import type { Routing } from "../request/routing.ts";
import type { ForwardContext } from "./context.ts";
import { type Body, type BodyOwner, noBody, RequestBody } from "./request-body.ts";
import type { RequestRecord } from "./request-record.ts";

/** A request that has been routed, with everything known of it. */
export interface ProxiedRequestInput {
  readonly engine: ForwardContext;
  /** What was in force when the request came in. */
  readonly routing: Routing;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly arrival: RoutedRequest;
  readonly record: RequestRecord;
  /** The path that a framework has taken off the front of the request's. */
  readonly mountPath: string;
  /** The body, when a parser in front of the proxy has read it already. */
  readonly parsedBody: Uint8Array | undefined;
}

/** The body of a request that is to be relayed, as its route and the options in force want it. */
export function requestBody(
  { req, res, arrival, routing, engine, parsedBody }: ProxiedRequestInput,
  owner: BodyOwner,
): Body {
  if (arrival.head.bodyLength === 0 && parsedBody === undefined && !arrival.head.expectsContinue) return noBody;
  return new RequestBody(req, {
    length: arrival.head.bodyLength,
    copyLimit: arrival.route.pool.options.retry.bodyBufferBytes,
    maxBytes: arrival.route.options.maxBodyBytes,
    parsed: parsedBody,
    clock: engine.runtime.clock,
    timeoutMs: routing.requestBodyTimeoutMs,
    minRate: routing.requestBodyMinRate,
    owner,
    beforeReading: awaitsContinue(res, arrival.head) ? () => res.writeContinue() : undefined,
  });
}
