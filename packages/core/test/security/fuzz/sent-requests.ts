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
  /** Of all requests. Of what is none nobody has to know whether it was a HEAD. */
  readonly methods: readonly string[];
}

export function readSentRequests(bytes: Buffer): SentRequests {
  const requests: SentRequest[] = [];
  const stop = (end: SentRequests["end"]): SentRequests => ({
    requests,
    end,
    methods: requests.map(({ method }) => method),
  });
  for (let position = 0; ; ) {
    // Servers skip empty lines in front of a request line (RFC 9112 section 2.2), node's parser halves of them too.
    while (bytes[position] === 0x0d || bytes[position] === 0x0a) position++;
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
  // More than one space is what section 3 lets a server put up with. Node's parser takes these methods of RTSP for HTTP, and nobody behind it can tell: the framing is the same.
  const startLine = head.startLine.replace(/^(GET|POST|OPTIONS) +(.*) RTSP\//, "$1 $2 HTTP/");
  const line = /^([!#$%&'*+\-.^_`|~\w]+) +([\x21-\x7e]+) HTTP\/1\.([01])$/.exec(startLine);
  if (line === null) throw new StrictError("a request line out of grammar");
  const [, method = "", target = "", minor = ""] = line;
  const minorVersion = Number(minor);
  const body = readSentBody(bytes, head.end, framingOf(head.fields, minorVersion) ?? 0);
  const request = { ...body, method, minor: minorVersion, fields: head.fields };
  // Node's server answers these by itself, whatever else they say, and reads on behind them.
  if (valuesOf(head.fields, "expect").some((value) => !/100-continue/i.test(value))) return { ...request, target };
  checkHost(head, minorVersion);
  return { ...request, target: originForm(target, valuesOf(head.fields, "host")[0] ?? "") };
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
  return !options.includes("close") && (minor === 1 || options.includes("keep-alive"));
}
