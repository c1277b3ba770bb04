import type { IncomingRequest } from "../client/client-exchange.ts";
import { isRefusal, type Refusal } from "../request/request-head.ts";
import type { ReceivedRequest } from "../request/routed-request.ts";
import { TracedRequest } from "../tracing/traced-request.ts";
import type { RequestRecord } from "./request-record.ts";

/** Traces a request, which `serve` serves. The trace ends with the record. */
export function traceRequest(
  kind: "request" | "upgrade",
  client: IncomingRequest,
  received: ReceivedRequest | Refusal,
  record: RequestRecord,
  serve: () => void,
): void {
  const facts = isRefusal(received) ? undefined : received.facts;
  const { path = "", query = "" } =
    /^(?:https?:\/\/[^/?#]*)?(?<path>[/*][^?#]*)?(?<query>\?[^#]*)?/i.exec(record.url)?.groups ?? {};
  record.trace = new TracedRequest({
    kind,
    requestId: record.requestId,
    behindApp: record.behindApp,
    method: client.method,
    scheme: facts?.proto.endsWith("s") === true ? "https" : "http",
    host: facts?.host ?? "",
    path,
    query,
    httpVersion: client.httpVersion,
    client: record.client,
    peer: facts?.peer ?? record.client,
    headers: client.rawHeaders,
    route: record.route?.options.name,
    pool: record.route?.pool.name,
  });
  record.trace.start(serve);
}
