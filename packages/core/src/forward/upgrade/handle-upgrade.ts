import type { ClientExchange } from "../../client/client-exchange.ts";
import { fieldValue } from "../../http1/fields.ts";
import { isRefusal, type Refusal } from "../../request/request-head.ts";
import { isRouted, type ReceivedRequest, type RoutedRequest } from "../../request/routed-request.ts";
import type { Routing } from "../../request/routing.ts";
import { tracesRequests } from "../../tracing/channels.ts";
import type { ForwardContext } from "../context.ts";
import { afterRequestHook, type RequestOptions, refuse } from "../handle-request.ts";
import type { RequestRecord } from "../request-record.ts";
import { traceRequest } from "../trace-request.ts";
import { Handshake } from "./handshake.ts";

/** Opens a tunnel for a WebSocket handshake that was read under `routing`, or sends an error response. */
export function handleUpgrade(
  context: ForwardContext,
  routing: Routing,
  client: ClientExchange,
  received: ReceivedRequest | Refusal,
  record: RequestRecord,
  options: Pick<RequestOptions, "refusal" | "mountPath">,
): void {
  const handle = () => handleRecorded(context, routing, client, received, record, options);
  if (context.tracing && tracesRequests()) traceRequest("upgrade", client, received, record, handle);
  else handle();
}

function handleRecorded(
  context: ForwardContext,
  routing: Routing,
  client: ClientExchange,
  received: ReceivedRequest | Refusal,
  record: RequestRecord,
  { refusal, mountPath = "" }: Pick<RequestOptions, "refusal" | "mountPath">,
): void {
  if (refusal !== undefined) return refuse(context, client, record, refusal);
  if (isRefusal(received)) return refuse(context, client, record, received.code);
  if (!isRouted(received)) return refuse(context, client, record, "no_route");
  if (received.head.bodyLength !== 0 || !isHandshake(client)) return refuse(context, client, record, "bad_request");
  const start = (routed: RoutedRequest) =>
    new Handshake({ context, routing, client, record, mountPath, received: routed }).start();
  if (context.hooks.onRequest === undefined) start(received);
  else afterRequestHook(context, routing, { client, received, record }, start);
}

/** RFC 6455 section 4.2.1. */
function isHandshake({ rawHeaders }: ClientExchange): boolean {
  return (
    fieldValue(rawHeaders, "upgrade")?.toLowerCase() === "websocket" &&
    /^[A-Za-z0-9+/]{22}==$/.test(fieldValue(rawHeaders, "sec-websocket-key") ?? "") &&
    fieldValue(rawHeaders, "sec-websocket-version") === "13"
  );
}
