import type { ClientExchange } from "../client/client-exchange.ts";
import type { RoutedRequest } from "../request/routed-request.ts";
import type { Routing } from "../request/routing.ts";
import type { Clock } from "../runtime/clock.ts";
import { type Body, type BodyFaultHandler, noBody, RequestBody } from "./request-body.ts";

export interface RequestBodySource {
  readonly client: ClientExchange;
  readonly received: RoutedRequest;
  readonly routing: Routing;
  /** The body, if a parser in front of the proxy has read it. */
  readonly parsedBody: Uint8Array | undefined;
}

/** Creates the body of a routed request, with the limits of its route, its pool and the proxy. */
export function createRequestBody(source: RequestBodySource, clock: Clock, handler: BodyFaultHandler): Body {
  const { client, received, routing, parsedBody } = source;
  const { head, route } = received;
  if (head.bodyLength === 0 && parsedBody === undefined && !head.expectsContinue) return noBody;
  return new RequestBody(
    client,
    {
      length: head.bodyLength,
      copyLimit: route.pool.options.retry.bodyBufferBytes,
      maxBytes: route.options.maxBodyBytes,
      parsed: parsedBody,
      awaitsContinue: head.expectsContinue && !client.continueSent,
      clock,
      timeoutMs: mayPause(source) ? 0 : routing.requestBodyTimeoutMs,
      minRate: routing.requestBodyMinRate,
    },
    handler,
  );
}

/**
 * Messages of a gRPC call may be far apart, like those of a WebSocket. Over HTTP/1.1 the call would hold a connection of its own
 * to the upstream, which a slow client could abuse.
 */
function mayPause({ client, received: { head, route } }: RequestBodySource): boolean {
  return head.grpc && client.connection === undefined && route.pool.options.connections.http2 !== false;
}
