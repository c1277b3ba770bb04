/** What a client has really sent, and so what an upstream may get to see at most. */

import { type Field, StrictError, valuesOf } from "../../support/strict-http.ts";
import {
  connectionOptions,
  framingOf,
  readSentBody,
  readSentHead,
  type SentBody,
  type SentHead,
} from "./sent-message.ts";

export interface SentRequest extends SentBody {
  readonly method: string;
  /** In origin-form, or `*`. */
  readonly target: string;
  /** Of its HTTP/1 version. */
  readonly minor: number;
  readonly fields: readonly Field[];
}

export interface SentRequests {
  /** Only the last may be incomplete. */
  readonly requests: readonly SentRequest[];
  /**
   * Why there are no more: every byte is read, the last message is not whole, bytes are out of grammar, or the connection
   * ends with the last request.
   */
  readonly end: "clean" | "partial" | "violation" | "last";
  /** Between or behind the requests are line ends that a server may ignore or refuse. */
  readonly strayLineEnds: boolean;
  /** Of all requests. Of what is none nobody has to know whether it was a HEAD. */
  readonly methods: readonly string[];
}

export function readSentRequests(bytes: Buffer): SentRequests {
  const requests: SentRequest[] = [];
  let strayLineEnds = false;
  const stop = (end: SentRequests["end"]): SentRequests => ({
    requests,
    end,
    strayLineEnds,
    methods: requests.map(({ method }) => method),
  });
  for (let position = 0; ; ) {
    // Servers skip empty lines in front of a request line (RFC 9112 section 2.2), node's parser halves of them too.
    const skippedFrom = position;
    while (bytes[position] === 0x0d || bytes[position] === 0x0a) position++;
    strayLineEnds ||= !/^(?:\r\n){0,2}$/.test(bytes.toString("latin1", skippedFrom, position));
    if (position >= bytes.length) return stop("clean");
    let request: SentRequest | undefined;
    try {
      request = readSentRequest(bytes, position);
    } catch (error) {
      if (!(error instanceof StrictError)) throw error;
      return stop("violation");
    }
    if (request === undefined) return stop("partial");
    requests.push(request);
    if (request.violation !== undefined) return stop("violation");
    if (!request.complete) return stop("partial");
    if (!keepsAlive(request)) return stop("last");
    position = request.end;
  }
}

function readSentRequest(bytes: Buffer, start: number): SentRequest | undefined {
  const head = readSentHead(bytes, start);
  if (head === undefined) return undefined;
  // More spaces are what section 3 lets a server put up with. Node's parser takes RTSP for HTTP with these methods, and
  // nobody behind it can tell: the framing is the same.
  const startLine = head.startLine.replace(/^(GET|POST|OPTIONS) +(.*) +RTSP\//, "$1 $2 HTTP/");
  const line = /^([!#$%&'*+\-.^_`|~\w]+) +([\x21-\x7e]+) +HTTP\/1\.([01])$/.exec(startLine);
  if (line === null) throw new StrictError("a request line out of grammar");
  const [, method = "", target = "", minor = ""] = line;
  const body = readSentBody(bytes, head.end, framingOf(head.fields, Number(minor)) ?? 0);
  checkHost(head, Number(minor));
  const origin = originForm(target, valuesOf(head.fields, "host")[0] ?? "");
  return { ...body, method, target: origin, minor: Number(minor), fields: head.fields };
}

function checkHost({ fields }: SentHead, minor: number): void {
  const hosts = valuesOf(fields, "host");
  if (hosts.length > 1 || (hosts.length === 0 && minor === 1)) throw new StrictError("not exactly one Host");
  if (!/^(?:\[[0-9A-Fa-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(?::\d*)?$/.test(hosts[0] ?? "")) throw new StrictError("no host");
}

function originForm(target: string, host: string): string {
  if (target === "*" || /^\/[^#]*$/.test(target)) return target;
  const [, authority = "", rest = ""] = /^https?:\/\/([^/?#]+)([^#]*)$/i.exec(target) ?? [];
  if (authority === "" || authority.toLowerCase() !== host.toLowerCase())
    throw new StrictError("not this server's target");
  return rest.startsWith("/") ? rest : `/${rest}`;
}

function keepsAlive({ fields, minor }: SentRequest): boolean {
  const options = connectionOptions(fields);
  // An HTTP/1.0 request that says both is kept by node's server.
  return minor === 0 ? options.includes("keep-alive") : !options.includes("close");
}
