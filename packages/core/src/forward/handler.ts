import type { IncomingMessage, ServerResponse } from "node:http";
import { isRouted, readArrival } from "./arrival.ts";
import { ClientResponse } from "./client-response.ts";
import type { Engine } from "./engine.ts";
import { Relay } from "./relay.ts";
import { isSettled } from "./reply.ts";
import { isRefusal } from "./request-head.ts";
import { RequestRecord } from "./request-record.ts";

/** What an adapter knows about a request beside the request. */
export interface ForwardOptions {
  /** Called when no route matches. Default: the answer is 404. */
  readonly next?: ((error?: unknown) => void) | undefined;
  /** The path that the framework has taken off the front of `req.url`; the upstream is told in X-Forwarded-Prefix. */
  readonly mountPath?: string;
  /** The request's body, when a parser in front of the proxy has read it already. */
  readonly body?: Uint8Array;
}

/** Takes a request in: reads it, checks it, finds its route, and relays it or says why not. From then on it lives by its events. */
export function handleRequest(engine: Engine, req: IncomingMessage, res: ServerResponse, options: ForwardOptions): void {
  const { routing } = engine;
  const arrival = readArrival(req, routing);
  if (!isRefusal(arrival) && arrival.route === undefined && options.next !== undefined) {
    options.next();
    return;
  }
  const record = new RequestRecord(engine, req, isRefusal(arrival) ? undefined : arrival);
  if (!isRefusal(arrival) && isRouted(arrival)) {
    const { mountPath = "", body: parsedBody } = options;
    new Relay({ engine, routing, req, res, arrival, record, mountPath, parsedBody }).start();
    return;
  }
  res.once("close", () => record.finish());
  const code = isRefusal(arrival) ? arrival.code : "no_route";
  new ClientResponse(req, res, record).reply(code, isSettled(req, record.head?.bodyLength ?? -1));
}
