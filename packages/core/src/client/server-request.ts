import type { IncomingHttpHeaders } from "node:http";
import type { IncomingRequest } from "./client-exchange.ts";

/** Fields of which Node keeps the first value and drops others. */
const single: ReadonlySet<string> = new Set([
  ...["age", "authorization", "content-length", "content-type", "etag", "expires", "from", "host", "if-modified-since"],
  ...["if-unmodified-since", "last-modified", "location", "max-forwards", "proxy-authorization", "referer"],
  ...["retry-after", "server", "user-agent"],
]);

/**
 * A request of a server of `evenkeel/server` as hooks receive it: the part of Node's `IncomingMessage` that describes the head
 * and the connection. To be read: a change has no effect. What is optional here is always set by such a server.
 */
export interface ServerRequest {
  readonly method?: string | undefined;
  /** The request target as the client sent it. */
  readonly url?: string | undefined;
  /** "1.0", "1.1" or "2.0". */
  readonly httpVersion: string;
  /** Names and values by turns, in order, as received. */
  readonly rawHeaders: readonly string[];
  /** By lower-case name, repeated ones joined as in Node. */
  readonly headers: IncomingHttpHeaders;
  readonly socket: {
    /** The client's address; undefined over a unix socket. */
    readonly remoteAddress?: string | undefined;
    /** The connection uses TLS. */
    readonly encrypted?: boolean;
  };
}

/** Joins the headers only when a hook reads them. */
export class LazyServerRequest implements ServerRequest {
  readonly method: string;
  readonly url: string;
  readonly httpVersion: string;
  readonly rawHeaders: readonly string[];
  readonly socket: { readonly remoteAddress: string | undefined; readonly encrypted: boolean };
  #headers: IncomingHttpHeaders | undefined;

  constructor({ method, target, httpVersion, rawHeaders, remoteAddress, encrypted }: IncomingRequest) {
    this.method = method;
    this.url = target;
    this.httpVersion = httpVersion;
    this.rawHeaders = rawHeaders;
    this.socket = { remoteAddress, encrypted };
  }

  get headers(): IncomingHttpHeaders {
    this.#headers ??= joinHeaders(this.rawHeaders);
    return this.#headers;
  }
}

function joinHeaders(raw: readonly string[]): IncomingHttpHeaders {
  const headers: Record<string, string | string[]> = Object.create(null);
  for (let index = 0; index < raw.length; index += 2) {
    const name = (raw[index] as string).toLowerCase();
    const value = raw[index + 1] as string;
    const known = headers[name];
    if (name === "set-cookie") headers[name] = [...((known as string[] | undefined) ?? []), value];
    else if (known === undefined) headers[name] = value;
    else if (!single.has(name)) headers[name] = `${known as string}${name === "cookie" ? "; " : ", "}${value}`;
  }
  return headers as IncomingHttpHeaders;
}
