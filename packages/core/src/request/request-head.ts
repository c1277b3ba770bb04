/**
 * Reads a request's head: one pass over the raw headers sorts them into those that are forwarded unchanged, those that frame
 * the message, those of this hop, and those that the proxy sets itself.
 */

import type { ChangedHeaders } from "../client/changed-headers.ts";
import type { IncomingRequest } from "../client/client-exchange.ts";
import { hostText } from "../config/settable-header.ts";
import type { ErrorCode } from "../errors.ts";
import { isGrpcType } from "../grpc/protocol.ts";
import { continueExpectation } from "../http1/expect-continue.ts";
import { withoutFields } from "../http1/fields.ts";
import type { HeaderChangeSet } from "../http1/header-changes.ts";
import { requestHeaderKind } from "./request-header-kind.ts";

/** What is read of a request. */
export type RequestLines = Pick<IncomingRequest, "method" | "httpVersion" | "rawHeaders" | "bodyFollows">;

/** A request's head, sorted. */
export interface RequestHeadIn {
  readonly host: string;
  /** An app has deleted the Host header: the upstream receives its own address. */
  readonly hostDeleted?: boolean;
  /** Bytes of the body: 0 for none, -1 when its length is not known before its end. */
  readonly bodyLength: number;
  /** Names and values by turns, in order: neither hop-by-hop, nor framing, nor Host, nor set by the proxy. */
  readonly passed: readonly string[];
  /** Some of `passed` are claims that only a trusted peer may make. */
  readonly hasClaims: boolean;
  /** Headers that an app has set in place of the proxy's own, Host and the X-Forwarded ones among them. */
  readonly replacing?: HeaderChangeSet | undefined;
  /** Values of the headers that the proxy sets, joined when repeated, by lower-case name. */
  readonly forwarded: ReadonlyMap<string, string>;
  readonly via: string | undefined;
  /** The version that Via names: that of the message as received (RFC 9110 section 7.6.3). */
  readonly viaVersion: "1.1" | "2.0";
  readonly accept: string | undefined;
  readonly traceparent: string | undefined;
  readonly userAgent: string | undefined;
  readonly referer: string | undefined;
  /** True for gRPC, whose clients need them. */
  readonly wantsTrailers: boolean;
  /** The request is a gRPC call. */
  readonly grpc: boolean;
  /** The client sends the body after a 100 (Continue). */
  readonly expectsContinue: boolean;
}

/** A request that is not to be forwarded. */
export interface Refusal {
  readonly code: ErrorCode;
  /** For the log and for `explain`; contains nothing of the request. */
  readonly reason: string;
  /** The app's mistake, if it is one. For the log only. */
  readonly cause?: unknown;
}

const nothingForwarded: ReadonlyMap<string, string> = new Map();

/** Methods of other protocols that Node's parser accepts as HTTP. */
const foreign: ReadonlySet<string> = new Set([
  ...["DESCRIBE", "ANNOUNCE", "SETUP", "PLAY", "PAUSE", "TEARDOWN", "GET_PARAMETER", "SET_PARAMETER"],
  ...["REDIRECT", "RECORD", "FLUSH", "SOURCE"],
]);

const versions: ReadonlySet<string> = new Set(["1.0", "1.1", "2.0"]);

/** Methods whose body an HTTP/1.0 server may read as the next request. */
const bodiless: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE", "OPTIONS"]);

/**
 * Sorts the head of a request, or returns why it is refused. Lines that an app has changed are skipped, except Host, which is
 * checked as received.
 */
export function readRequestHead(
  request: RequestLines,
  maxHeaders: number,
  changes?: ChangedHeaders,
): RequestHeadIn | Refusal {
  const raw = request.rawHeaders;
  if (raw.length > maxHeaders * 2) return refuse("headers_too_large", "too many header fields");
  const reader = new HeadReader();
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] as string;
    if (changes === undefined || isKept(name, changes)) reader.read(name, raw[index + 1] as string);
  }
  return reader.refusal(request) ?? reader.result(request);
}

function isKept(name: string, changes: ChangedHeaders): boolean {
  const lower = name.toLowerCase();
  return lower === "host" || !changes.covers(lower);
}

export function isRefusal(value: object): value is Refusal {
  return "code" in value;
}

class HeadReader {
  readonly #passed: string[] = [];
  #hasClaims = false;
  #forwarded: Map<string, string> | undefined;
  #accept: string | undefined;
  #traceparent: string | undefined;
  #userAgent: string | undefined;
  #referer: string | undefined;
  #named: Set<string> | undefined;
  #host: string | undefined;
  #hosts = 0;
  #length: string | undefined;
  #coding: string | undefined;
  #via: string | undefined;
  #wantsTrailers = false;
  #grpc = false;
  #expect: string | undefined;

  read(name: string, value: string): void {
    switch (requestHeaderKind(name)) {
      case "passed":
        this.#passed.push(name, value);
        return;
      case "hop":
        return;
      case "connection":
        return this.#readConnection(value);
      case "host":
        this.#hosts++;
        this.#host = value;
        return;
      case "length":
        this.#length = value;
        return;
      case "coding":
        this.#coding = this.#coding === undefined ? value : `${this.#coding}, ${value}`;
        return;
      case "te":
        this.#wantsTrailers ||= /(?:^|,)\s*trailers\s*(?:,|$)/i.test(value);
        return;
      case "expect":
        this.#expect = this.#expect === undefined ? value : `${this.#expect}, ${value}`;
        return;
      case "via":
        this.#via = this.#via === undefined ? value : `${this.#via}, ${value}`;
        return;
      case "forwarded":
        return this.#readForwarded(name.toLowerCase(), value);
      case "claim":
        this.#hasClaims = true;
        break;
      case "accept":
        this.#accept = value;
        break;
      case "content-type":
        this.#grpc = isGrpcType(value);
        break;
      case "traceparent":
        this.#traceparent = value;
        break;
      case "user-agent":
        this.#userAgent = value;
        break;
      case "referer":
        this.#referer = value;
        break;
    }
    // These are forwarded as well.
    this.#passed.push(name, value);
  }

  #readForwarded(lower: string, value: string): void {
    this.#forwarded ??= new Map();
    const before = this.#forwarded.get(lower);
    this.#forwarded.set(lower, before === undefined ? value : `${before}, ${value}`);
  }

  /** The checks that Node's parser does not make. */
  refusal({ method, httpVersion, bodyFollows }: RequestLines): Refusal | undefined {
    const is10 = httpVersion === "1.0";
    // What does not tell whether a body follows was not read as HTTP/2.
    if (!versions.has(httpVersion) || (httpVersion === "2.0" && bodyFollows === undefined)) {
      return refuse("bad_request", "only HTTP/1.0, HTTP/1.1 and HTTP/2 are supported");
    }
    if (foreign.has(method)) return refuse("bad_request", "this is RTSP or ICE");
    if (method === "TRACE" || method === "CONNECT") {
      return refuse("method_not_allowed", "this method is not forwarded");
    }
    if (!is10 && this.#host === undefined) return refuse("bad_request", "the Host header is missing");
    if (this.#hosts > 1) return refuse("bad_request", "there is more than one Host header");
    if (this.#host !== undefined && !hostText.test(this.#host)) {
      return refuse("bad_request", "the Host header is not a host");
    }
    if (this.#length !== undefined && !/^\d{1,15}$/.test(this.#length)) {
      return refuse("bad_request", "the length is not a number of bytes");
    }
    if (is10 && Number(this.#length ?? 0) > 0 && bodiless.has(method)) {
      return refuse("bad_request", "HTTP/1.0 requests of this method have no body");
    }
    if (this.#coding !== undefined) {
      if (is10) return refuse("bad_request", "HTTP/1.0 has no transfer codings");
      if (this.#coding.toLowerCase() !== "chunked") return refuse("not_implemented", "only chunked is understood");
      if (this.#length !== undefined) return refuse("bad_request", "both a length and a transfer coding");
    }
    if (!is10 && this.#expect !== undefined && !continueExpectation.test(this.#expect)) {
      return refuse("expectation_failed", "100-continue is all that can be expected");
    }
    return undefined;
  }

  result({ httpVersion, bodyFollows = false }: RequestLines): RequestHeadIn {
    const isUnbounded = this.#coding !== undefined || (bodyFollows && this.#length === undefined);
    const bodyLength = isUnbounded ? -1 : Number(this.#length ?? 0);
    return {
      host: this.#host ?? "",
      bodyLength,
      passed: this.#named === undefined ? this.#passed : withoutFields(this.#passed, this.#named),
      hasClaims: this.#hasClaims,
      replacing: undefined,
      forwarded: this.#forwarded ?? nothingForwarded,
      via: this.#via,
      viaVersion: httpVersion === "2.0" ? "2.0" : "1.1",
      accept: this.#accept,
      traceparent: this.#traceparent,
      userAgent: this.#userAgent,
      referer: this.#referer,
      wantsTrailers: this.#wantsTrailers || this.#grpc,
      grpc: this.#grpc,
      expectsContinue: this.#expect !== undefined && httpVersion !== "1.0",
    };
  }

  /** Fields that any line of Connection names are for this hop only (RFC 9110 section 7.6.1). */
  #readConnection(value: string): void {
    for (const option of value.split(",")) {
      const name = option.trim().toLowerCase();
      if (name === "" || name === "close" || name === "keep-alive" || requestHeaderKind(name) === "hop") continue;
      this.#named ??= new Set();
      this.#named.add(name);
    }
  }
}

/** The head without the claims that only a trusted peer may make. */
export function withoutClaims(head: RequestHeadIn): RequestHeadIn {
  if (!head.hasClaims) return head;
  const kept: string[] = [];
  for (let index = 0; index < head.passed.length; index += 2) {
    const name = head.passed[index] as string;
    if (requestHeaderKind(name) !== "claim") kept.push(name, head.passed[index + 1] as string);
  }
  return { ...head, passed: kept, hasClaims: false };
}

function refuse(code: ErrorCode, reason: string): Refusal {
  return { code, reason };
}
