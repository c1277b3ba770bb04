import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { setAppHeaders } from "../../client/node/app-response-headers.ts";
import { offersWebSocket, serveAsRequest } from "../../client/node/ignored-upgrade.ts";
import { isEnding } from "../../client/node/lingering-close.ts";
import { claimUpgrade, declineUpgrade, isClaimed } from "../../client/node/shared-upgrades.ts";
import { responseOn } from "../../client/node/upgrade-response.ts";
import { inTurn, isAnswering } from "../../client/node/upgrade-turn.ts";
import { isRefusal, type RawRequest, type Refusal } from "../../request/request-head.ts";
import { isRouted, type ReceivedRequest, readRequest } from "../../request/routed-request.ts";
import type { Routing } from "../../request/routing.ts";
import { ClientResponse } from "../client-response.ts";
import type { ForwardContext } from "../context.ts";
import {
  afterRequestHook,
  createRecord,
  type ForwardUpgradeOptions,
  finishUnanswered,
  refuse,
  Waiting,
} from "../handle-request.ts";
import type { RequestRecord } from "../request-record.ts";
import { Handshake } from "./handshake.ts";
import { TunnelSide } from "./tunnel.ts";

interface UpgradeInput {
  readonly engine: ForwardContext;
  readonly routing: Routing;
  readonly req: IncomingMessage;
  readonly socket: Duplex;
  readonly arrival: ReceivedRequest | Refusal;
  readonly options: ForwardUpgradeOptions;
}

export type UpgradeListener = (req: IncomingMessage, socket: Duplex, head: Buffer, next?: () => void) => void;

/** What a proxy listens with to a server's `upgrade` event, alone or beside others. */
export function createUpgradeListener(engine: () => ForwardContext): UpgradeListener {
  return (req, socket, head, next = () => declineUpgrade(req, socket, head)) => {
    if (!isClaimed(req)) handleUpgrade(engine(), req, socket, head, { next });
  };
}

/**
 * Takes an upgrade in; false when it is left to `options.next`. Only WebSocket is tunnelled: any other upgrade is served as
 * an ordinary request of its server (RFC 9110 section 7.8 lets a server ignore the offer).
 */
export function handleUpgrade(
  engine: ForwardContext,
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  options: ForwardUpgradeOptions,
): boolean {
  const { routing } = engine;
  // The connection has had its last response, as in `handleRequest`. Node has taken its own listeners off by now.
  if (isEnding(socket)) {
    claimUpgrade(req);
    socket.on("error", () => {});
    return true;
  }
  const arrival = readRequest(req, routing, options);
  if (!isRefusal(arrival) && !isRouted(arrival) && options.next !== undefined) {
    options.next();
    return false;
  }
  claimUpgrade(req);
  const input = { engine, routing, req, socket, arrival, options };
  if (offersWebSocket(req) || req.method === "CONNECT" || options.refusal !== undefined) answerInTurn(input, head);
  else serveAsRequest(req, socket, head, options.originalUrl);
  return true;
}

/** Whether a request is answered here rather than left to `next`: a route matches it, or it is refused. */
export function wantsRequest(req: RawRequest, routing: Routing, mountPath: string): boolean {
  const arrival = readRequest(req, routing, { mountPath });
  return isRefusal(arrival) || isRouted(arrival);
}

/** A client may send a handshake ahead of the responses to earlier requests. Theirs come first. */
function answerInTurn(input: UpgradeInput, head: Buffer): void {
  if (!isAnswering(input.socket)) return answerUpgrade(input, head);
  const { engine, req, socket, arrival, options } = input;
  const record = createRecord(engine, req, arrival, options);
  const waiting = new Waiting(engine, () => socket.destroy());
  inTurn(socket, head, (rest) => {
    if (rest === undefined) finishUnanswered(record, waiting.failure);
    else if (waiting.told) answerUpgrade({ ...input, options: { refusal: "closed" } }, rest, record);
    else answerUpgrade(input, rest, record);
    waiting.end();
  });
}

function answerUpgrade(
  { engine, routing, req, socket, arrival, options }: UpgradeInput,
  head: Buffer,
  waited?: RequestRecord,
): void {
  const res = responseOn(req, socket);
  if (res === undefined) return void socket.destroy();
  setAppHeaders(res, options.responseHeaders);
  const record = waited ?? createRecord(engine, req, arrival, options);
  if (options.refusal !== undefined) return refuse(engine, req, res, record, options.refusal);
  if (isRefusal(arrival)) return refuse(engine, req, res, record, arrival.code);
  if (!isRouted(arrival)) return refuse(engine, req, res, record, "no_route");
  if (arrival.head.bodyLength !== 0 || !isHandshake(req)) return refuse(engine, req, res, record, "bad_request");
  const { mountPath = "" } = options;
  const response = new ClientResponse(req, res, record, engine);
  const client = new TunnelSide(socket, head);
  const input = { engine, routing, req, res, socket, head, client, record, response, mountPath };
  if (engine.hooks.onRequest === undefined) return new Handshake({ ...input, arrival }).start();
  afterRequestHook(engine, routing, { req, res, record, arrival }, (changed) =>
    new Handshake({ ...input, arrival: changed }).start(),
  );
}

/** RFC 6455 section 4.2.1. */
function isHandshake({ headers }: IncomingMessage): boolean {
  return (
    headers.upgrade?.toLowerCase() === "websocket" &&
    /^[A-Za-z0-9+/]{22}==$/.test(headers["sec-websocket-key"] ?? "") &&
    headers["sec-websocket-version"] === "13"
  );
}
