import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { isRouted, readArrival } from "./arrival.ts";
import { breakOff, responseOn } from "./bare-socket.ts";
import { ClientResponse } from "./client-response.ts";
import type { Engine } from "./engine.ts";
import { afterRequestHook, createRecord, type ForwardUpgradeOptions, handleRequest, refuse } from "./handler.ts";
import { Handshake } from "./handshake.ts";
import { isEnding } from "./lingering-close.ts";
import { isRefusal } from "./request-head.ts";
import { TunnelSide } from "./tunnel.ts";
import { untaken } from "./upgrade-body.ts";

/**
 * Takes an upgrade in. Only WebSocket is tunnelled; any other upgrade is an ordinary request whose Upgrade header goes no
 * further (RFC 9110 section 7.8 lets a server ignore it), and whose connection ends with the answer, since nobody knows
 * whether the bytes behind it are the next request.
 */
export function handleUpgrade(
  engine: Engine,
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  options: ForwardUpgradeOptions,
): void {
  // The connection has had its last answer, as in `handleRequest`. Node has taken its own listeners off by now.
  if (isEnding(socket)) return void socket.on("error", () => {});
  const { routing } = engine;
  const arrival = readArrival(req, routing, options);
  if (!isRefusal(arrival) && !isRouted(arrival) && options.next !== undefined) return options.next();
  const res = responseOn(req, socket);
  if (res === undefined) return breakOff(engine, req, socket);
  if (isRefusal(arrival) || options.refusal !== undefined) return handleRequest(engine, req, res, options);
  const { mountPath = "" } = options;
  const record = createRecord(engine, req, arrival, options);
  const forTunnel = mentionsWebSocket(req);
  const { bodyLength } = arrival.head;
  // A handshake has no body. Chunks in front of bytes of another protocol are not worth a second reader.
  if (forTunnel ? bodyLength !== 0 || !isHandshake(req) : bodyLength === -1)
    return refuse(engine, req, res, record, "bad_request");
  if (!forTunnel || !isRouted(arrival)) {
    if (/^100-continue$/i.test(req.headers.expect ?? "")) res.writeContinue();
    return handleRequest(engine, untaken(req, socket, head, bodyLength), res, options);
  }
  const response = new ClientResponse(req, res, record, engine);
  const client = new TunnelSide(socket, head);
  const input = { engine, routing, req, res, socket, head, client, record, response, mountPath };
  if (engine.hooks.onRequest === undefined) return new Handshake({ ...input, arrival }).start();
  afterRequestHook(engine, routing, { req, res, record, arrival }, (changed) =>
    new Handshake({ ...input, arrival: changed }).start(),
  );
}

/** GET over HTTP/1.1; anything else with such a header is an ordinary request. */
function mentionsWebSocket({ method, httpVersionMinor, headers }: IncomingMessage): boolean {
  return method === "GET" && httpVersionMinor === 1 && /(?:^|[\s,])websocket(?:$|[\s,/])/i.test(headers.upgrade ?? "");
}

/** RFC 6455 section 4.2.1. */
function isHandshake({ headers }: IncomingMessage): boolean {
  return (
    headers.upgrade?.toLowerCase() === "websocket" &&
    /^[A-Za-z0-9+/]{22}==$/.test(headers["sec-websocket-key"] ?? "") &&
    headers["sec-websocket-version"] === "13"
  );
}
