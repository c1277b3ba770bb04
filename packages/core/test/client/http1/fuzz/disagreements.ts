/**
 * Known differences between our parser of requests and llhttp, which node:http uses. Each way in which ours is stricter has an
 * entry: its reason, a pattern of the bytes, and why that is right for a proxy. Each way in which llhttp refuses what the RFC lets
 * servers accept has an entry, too. Any other difference is a fault.
 */

export interface Stricter {
  /** The message of our parser. */
  readonly reason: string;
  /** Found in the bytes. */
  readonly shows: RegExp;
  readonly why: string;
}

/** Refused by ours, accepted by node:http. */
export const stricter: readonly Stricter[] = [
  {
    reason: "a malformed request line",
    shows: /[A-Z]+ {2,}|\S {2,}HTTP/,
    why: "One space separates the parts of a request line (RFC 9112 section 3); llhttp skips any number of them.",
  },
  {
    reason: "a malformed request line",
    shows: /(?:^|[^\r])\n|(?:^|\n)\r(?!\n)/,
    why: "llhttp skips a bare CR or LF in front of a request line. Only a CR LF is an empty line.",
  },
  {
    reason: "not an HTTP/1 request",
    shows: /(?:^|[^\r])\n|(?:^|\n)\r(?!\n)|^(?:\r\n){3}|\r\n(?:\r\n){3}/,
    why: "As for a malformed request line: found before the request line is complete.",
  },
  {
    reason: "a transfer coding other than chunked",
    shows: /^transfer-encoding:[ \t]*(?!chunked[ \t]*\r)/im,
    why: "An empty coding is none to llhttp, and chunks behind it are the next request; readers differ in empty list elements.",
  },
  {
    reason: "more than one Transfer-Encoding",
    shows: /^transfer-encoding:[^]*^transfer-encoding:/im,
    why: "llhttp goes by the last one; others by the first, or by all of them as a list.",
  },
  {
    reason: "both Content-Length and Transfer-Encoding",
    shows: /^(?=[^]*^content-length:)(?=[^]*^transfer-encoding:)/im,
    why: "An empty Transfer-Encoding is none to llhttp and the sign of a smuggler to us (RFC 9112 section 6.3).",
  },
  {
    reason: "a malformed chunk extension",
    shows: /\r\n[\da-f]+;/i,
    why: "llhttp lets a name or a value be empty; nothing good is written like that, and extensions are a way to smuggle.",
  },
  {
    reason: "a transfer coding in HTTP/1.0",
    shows: /HTTP\/1\.0\r[^]*^transfer-encoding:/im,
    why: "HTTP/1.0 has none, and a reader of that version sees the chunks as the body (RFC 9112 section 6.1).",
  },
  {
    reason: "a tab behind a length or a transfer coding",
    shows: /^(?:content-length|transfer-encoding):.*\t *\r/im,
    why: "llhttp takes `chunked` and a tab for another coding.",
  },
  {
    reason: "a malformed request line",
    shows: /^(?:\r\n){3}|\r\n(?:\r\n){3}/,
    why: "A server ignores at least one empty line in front of a request (RFC 9112 section 2.2); ours two, llhttp any number.",
  },
  {
    reason: "neither HTTP/1.0 nor HTTP/1.1",
    shows: /^\S+ \S+ HTTP\/(?!1\.[01]\r)\d\.\d\r/m,
    why: "llhttp reads HTTP/0.9 and HTTP/2.0 as well, and the proxy refuses them later.",
  },
  {
    reason: "a malformed request line",
    shows: /[A-Z]+ \S+\r/,
    why: "That is HTTP/0.9, which llhttp reads on with header fields.",
  },
  {
    reason: "a Content-Length that is not a plain number",
    shows: /^content-length:[ \t]*(?:0\d|\d{16}|[ \t]*\r)/im,
    why: "Leading zeros are octal to some readers, no digits are no length to others, and past 2^53 counts differ.",
  },
  {
    reason: "a chunk size that is too large",
    shows: /\r\n[\da-f]{14,}/i,
    why: "More than 13 digits cannot be counted without loss, or are padding that a reader of fixed width cuts off.",
  },
  {
    reason: "a malformed request line",
    shows: /^[A-Z_]+ \S+ (?:RTSP|ICE)\//m,
    why: "llhttp reads requests of RTSP and ICE, and does not say so.",
  },
  {
    reason: "a method that is not implemented",
    shows: /^(?:SOURCE|PLAY|DESCRIBE|QUERY) /m,
    why: "Those of RTSP and ICE are no methods of HTTP.",
  },
  {
    reason: "the client asks for the end of the connection",
    shows: /^connection:[^\r\n]*\t *\r/im,
    why: "White space behind a value is no part of it (RFC 9112 section 5.1); llhttp takes `close` and a tab for another option.",
  },
  {
    reason: "the client asks for the end of the connection",
    shows: /^(?=[^]*^connection:[ \t]*keep-alive)(?=[^]*^connection:[ \t]*close)/im,
    why: "Of both options `close` counts (RFC 9112 section 9.3); with HTTP/1.0 llhttp takes the other.",
  },
  {
    reason: "the head is too large",
    shows: /[^]{16384}/,
    why: "The limit of node:http is set higher here: what it counts does not compare.",
  },
];

export interface Laxer {
  /** The code of node's error. */
  readonly code: RegExp;
  readonly shows: RegExp;
  readonly why: string;
}

/** Refused by node:http for reasons of its own, accepted by ours because the RFC lets a server. */
export const laxer: readonly Laxer[] = [
  {
    code: /^HPE_(?:INVALID_TRANSFER_ENCODING|(?:INVALID|UNEXPECTED)_CONTENT_LENGTH)$/,
    shows: /\r\n0[^]*^(?:content-length|transfer-encoding):/im,
    why: "A message is framed by its head; such a trailer is ignored (RFC 9110 section 6.5.1).",
  },
  {
    code: /^HPE_INVALID_URL$/,
    shows: /[A-Z-]+ (?!\/|\*|[a-z]+:\/\/)/,
    why: "Whether a target names anything is judged where requests are routed, with a log line of its own.",
  },
  {
    code: /^closed$/,
    shows: /\r\n0[^]*^connection:[ \t]*close/im,
    why: "Trailers do not change what the head says about the connection; llhttp reads them like a head.",
  },
  {
    code: /^closed$/,
    shows: /^connection:[^\r\n]*\t *\r/im,
    why: "White space behind a value is no part of it (RFC 9112 section 5.1); llhttp takes a tab for one.",
  },
  {
    code: /^(?:open|incomplete)$/,
    shows: /^(?=[^]*^connection: upgrade\r)(?=[^]*^upgrade:)/im,
    why: "A server may ignore an offer to upgrade (RFC 9110 section 7.8); node:http stops behind it until an app has decided.",
  },
];
