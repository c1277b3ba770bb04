/**
 * Known differences between our parser and llhttp, which node:http and undici use.
 *
 * Each way in which ours is stricter has an entry: its reason, a pattern of the bytes, and why that is right for a proxy. Each
 * way in which llhttp refuses what the RFC lets clients accept has an entry, too. Any other difference is a fault.
 */

export interface Stricter {
  /** The message of our parser. */
  readonly reason: string;
  /** Found in the bytes. */
  readonly shows: RegExp;
  readonly why: string;
}

/** Refused by ours, accepted by a peer. */
export const stricter: readonly Stricter[] = [
  {
    reason: "a 101 without an upgrade",
    shows: /^HTTP\/1\.[01] 101\b/m,
    why: "What follows it belongs to a protocol that no request has asked for (RFC 9110 section 15.2.2).",
  },
  {
    reason: "a malformed status line",
    shows: /^HTTP\/(?:(?!1\.[01] )|1\.[01] (?![1-9]\d\d[ \r]))|^(?!HTTP\/)/m,
    why: "llhttp reads other versions and any three digits; a client that trusts 600 to 999 to mean something is on its own.",
  },
  {
    reason: "a bare CR or LF in the head",
    shows: /\r(?!\n)|(?:^|[^\r])\n/,
    why: "llhttp skips line ends in front of a status line. They are surplus bytes, which a proxy must not ignore.",
  },
  {
    reason: "not an HTTP/1 response",
    shows: /^(?!HTTP\/1\.)/,
    why: "As above: llhttp skips line ends in front of a status line, and reads HTTP/0.9 and HTTP/2.0.",
  },
  {
    reason: "a control character in the head",
    shows: /[^\t\r\n\x20-\x7e\x80-\xff]/,
    why: "llhttp lets control characters through in the text behind a status, which would go into logs and to clients.",
  },
  {
    reason: "a Content-Length that is not a plain number",
    shows: /^content-length:[ \t]*(?:0\d|\d{16}|[ \t]*\r)/im,
    why: "Leading zeros are octal to some readers, no digits are no length to others, and past 2^53 counts differ.",
  },
  {
    reason: "a tab behind a length or a transfer coding",
    shows: /^(?:content-length|transfer-encoding):.*\t *\r/im,
    why: "llhttp takes `chunked` and a tab for another coding, and reads on until the connection ends.",
  },
  {
    reason: "a transfer coding other than chunked",
    shows: /^transfer-encoding:[ \t]*(?!chunked[ \t]*\r)/im,
    why: "llhttp reads such a body to the end of the connection, still coded, when chunked is not the last coding.",
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
    reason: "a transfer coding in HTTP/1.0",
    shows: /^HTTP\/1\.0 [^]*^transfer-encoding:/im,
    why: "HTTP/1.0 has none, and a reader of that version sees the chunks as the body (RFC 9112 section 6.1).",
  },
  {
    reason: "an informational response in HTTP/1.0",
    shows: /^HTTP\/1\.0 1/im,
    why: "HTTP/1.0 has none; llhttp refuses what follows it, but not in every split.",
  },
  {
    reason: "a chunk size that is too large",
    shows: /\r\n[\da-f]{14,}/i,
    why: "More than 13 digits cannot be counted without loss, or are padding that a reader of fixed width cuts off.",
  },
  {
    reason: "a malformed chunk extension",
    shows: /\r\n[\da-f]+;/i,
    why: "llhttp lets a name or a value be empty; nothing good is written like that, and extensions are a way to smuggle.",
  },
  {
    reason: "too many header fields",
    shows: /(?:^[^\r\n:]+:.*\r\n){201}/m,
    why: "node:http has a limit ten times as high and drops what is beyond, undici has none.",
  },
  {
    reason: "the head is too large",
    shows: /^[^]{16384}/,
    why: "The limits of the peers are set higher here: what they count in does not compare.",
  },
];

export interface Laxer {
  readonly peer: "node" | "undici";
  /** Found in the peer's error. */
  readonly code: RegExp;
  readonly shows: RegExp;
  readonly why: string;
}

const lateLength = /\r\n0[^]*^content-length:/im;
const lateLengthIsNone =
  "A message is framed by its head; a length among the trailers is ignored (RFC 9110 section 6.5.1).";

/** Refused by a peer for reasons of its own, accepted by ours because the RFC says that a client does. */
export const laxer: readonly Laxer[] = [
  {
    peer: "undici",
    code: /^UND_ERR_SOCKET$/,
    shows: /^HTTP\/1\.[01] 100\b/m,
    why: "A client parses a 100 also when it did not ask for one (RFC 9110 section 15.2). It is swallowed.",
  },
  {
    peer: "undici",
    code: /^UND_ERR_RES_CONTENT_LENGTH_MISMATCH$/,
    shows: /^HTTP\/1\.[01] (?:204|304)\b[^]*^content-length:/im,
    why: "The length in a 304 is that of the body it spares (RFC 9110 section 8.6); in a 204 it says nothing.",
  },
  {
    peer: "node",
    code: /^HPE_(?:INVALID|UNEXPECTED)_CONTENT_LENGTH$/,
    shows: lateLength,
    why: lateLengthIsNone,
  },
  {
    peer: "undici",
    code: /Content-Length/,
    shows: lateLength,
    why: lateLengthIsNone,
  },
];
