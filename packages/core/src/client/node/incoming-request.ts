import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import { ChangedHeaders, changedLines, type HeaderObject } from "../changed-headers.ts";
import type { IncomingRequest } from "../client-exchange.ts";
import { type CompatRequestHead, compatChangedHeaders, compatHead } from "../node-http2/compat-head.ts";

/** What is read of a request to Node's HTTP server. */
export interface NodeRequestHead
  extends Pick<IncomingMessage, "method" | "url" | "httpVersion" | "httpVersionMajor" | "rawHeaders" | "headers"> {
  readonly joinDuplicateHeaders?: boolean | undefined;
  readonly socket: { readonly remoteAddress?: string | undefined; readonly encrypted?: boolean };
}

/** The head of a request to Node's HTTP or HTTP/2 server, for decisions without a response. */
export function incomingRequest(req: NodeRequestHead, headers?: HeaderObject): IncomingRequest {
  const common = {
    method: req.method ?? "",
    target: req.url ?? "",
    httpVersion: req.httpVersion,
    remoteAddress: req.socket.remoteAddress,
    encrypted: isEncrypted(req),
  };
  if (!isHttp2(req)) return { ...common, rawHeaders: req.rawHeaders, changedHeaders: changedHeadersOf(req, headers) };
  const { rawHeaders, bodyFollows } = compatHead(req);
  return { ...common, rawHeaders, bodyFollows, changedHeaders: compatChangedHeaders(req, headers) };
}

/**
 * Whether a request is one of Node's HTTP/2 server. The version alone does not tell: Node's HTTP/1.1 parser accepts a request
 * line that ends with `HTTP/2.0`.
 */
export function isHttp2<Request extends { readonly httpVersionMajor: number }>(
  req: Request,
): req is Request & CompatRequestHead & Http2ServerRequest {
  return req.httpVersionMajor === 2 && "stream" in req;
}

/** `headers` are those that the app has, where a framework keeps them elsewhere than in `req.headers`. */
export function changedHeadersOf(
  req: NodeRequestHead,
  headers: HeaderObject = req.headers,
): ChangedHeaders | undefined {
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
