import type { IncomingMessage } from "node:http";
import { ChangedHeaders, changedLines, type HeaderObject } from "../changed-headers.ts";
import type { IncomingRequest } from "../client-exchange.ts";

/** What is read of a request to Node's HTTP server. */
export interface NodeRequestHead
  extends Pick<IncomingMessage, "method" | "url" | "httpVersion" | "httpVersionMajor" | "rawHeaders" | "headers"> {
  readonly joinDuplicateHeaders?: boolean | undefined;
  readonly socket: { readonly remoteAddress?: string | undefined; readonly encrypted?: boolean };
}

/** The head of a request to Node's HTTP server, for decisions without a response. */
export function incomingRequest(req: NodeRequestHead, headers?: HeaderObject): IncomingRequest {
  return {
    method: req.method ?? "",
    target: req.url ?? "",
    httpVersion: req.httpVersion,
    rawHeaders: req.rawHeaders,
    changedHeaders: changedHeadersOf(req, headers),
    remoteAddress: req.socket.remoteAddress,
    encrypted: isEncrypted(req),
  };
}

/** `headers` are those that the app has, where a framework keeps them elsewhere than in `req.headers`. */
export function changedHeadersOf(
  req: NodeRequestHead,
  headers: HeaderObject = req.headers,
): ChangedHeaders | undefined {
  // A request of HTTP/2 is refused later.
  if (req.httpVersionMajor !== 1) return undefined;
  const lines = changedLines(headers, req);
  return lines === undefined ? undefined : new ChangedHeaders(lines, visibleLinesOf(req));
}

export function isEncrypted({ socket }: NodeRequestHead): boolean {
  return socket.encrypted === true;
}

/** How many lines Node has put into `req.headers`. */
function visibleLinesOf({ socket }: NodeRequestHead): number {
  const count = (socket as { server?: { maxHeadersCount?: number | null } }).server?.maxHeadersCount ?? nodeMaxHeaders;
  return count > 0 ? count : Infinity;
}

/** Node's limit where an app has set no `maxHeadersCount`. */
const nodeMaxHeaders = 1_000;
