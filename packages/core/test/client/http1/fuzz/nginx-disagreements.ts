/**
 * Known differences between our parser of requests and that of nginx, beside those that it shares with llhttp. Each way in which
 * ours is stricter has an entry. Each way in which nginx refuses what the RFC lets servers accept has an entry, too. Any other
 * difference is a fault.
 */

import { type Stricter, stricter } from "./disagreements.ts";

/** Refused by ours, accepted by nginx. */
export const stricterThanNginx: readonly Stricter[] = [
  ...stricter,
  {
    reason: "a malformed request line",
    shows: /HTTP\/1\.(?:[01] +\r|\d\d)/,
    why: "Nothing follows a version, and its minor part is one digit (RFC 9112 sections 2.3 and 3); nginx skips spaces.",
  },
  {
    reason: "a malformed request line",
    shows: /^[\w-]+ \S*[\x80-\xff]/m,
    why: "A target is ASCII (RFC 9112 section 3.2, RFC 3986 section 2).",
  },
  {
    reason: "a malformed request line",
    shows: /^[A-Z_-]+ \S+ +\r/m,
    why: "That is HTTP/0.9, which nginx reads on with header fields.",
  },
  {
    reason: "a malformed request line",
    shows: /^content-length:[^]*\r\n\r\n[^]*[\r\n][\w-]+ /im,
    why: "Nginx skips a bare CR or LF in front of a request line, also right behind a body.",
  },
  {
    reason: "a malformed header line",
    shows: /\r\n(?![\w!#$%&'*+.^`|~-]+:)[^\r\n]/,
    why: "A field name is a token with a colon behind it (RFC 9112 section 5); nginx takes any visible byte, and no colon.",
  },
  {
    reason: "a malformed header line",
    shows: /\r\r\n|[^\r]\n|[^\t\r\n -~\x80-\xff]/,
    why: "A bare CR, a bare LF and other controls have no place in a value (RFC 9110 section 5.5); nginx refuses NUL alone.",
  },
  {
    reason: "a control character or a bare line break in the head",
    shows: /\r\r\n|[^\r]\n|[^\t\r\n -~\x80-\xff]/,
    why: "As for a malformed header line: found before the head is complete.",
  },
  {
    reason: "a method that is not implemented",
    shows: /^[A-Z_-]+ /m,
    why: "A server responds with 501 to a method that it does not implement (RFC 9110 section 9.1); nginx passes on any word.",
  },
  {
    reason: "a malformed chunk size",
    shows: /\n[\da-f]+[ \t]|[^\r]\n[\da-f]|\n[\da-f]+\n/i,
    why: "White space behind a size is left to chunk extensions, and lines end with CR LF (RFC 9112 section 7.1).",
  },
  {
    reason: "a malformed chunk extension",
    shows: /\n[\da-f]+[ \t]*;/i,
    why: "Nginx skips all bytes up to the line end.",
  },
  {
    reason: "a bare LF in a chunk extension",
    shows: /\n[\da-f]+[ \t]*;/i,
    why: "As for a malformed chunk extension.",
  },
  {
    reason: "a chunk that does not end where its size says",
    shows: /^transfer-encoding:/im,
    why: "CR LF ends a chunk (RFC 9112 section 7.1); nginx takes a bare LF, also when the size counts the CR.",
  },
  {
    reason: "malformed trailers",
    shows: /\n0+[ \t]*(?:;.*)?\r?\n/,
    why: "Trailers are field lines (RFC 9112 section 7.1.2); nginx skips all bytes up to an empty line.",
  },
  {
    reason: "a bare CR or LF in the trailers",
    shows: /\r[^\n]|[^\r]\n/,
    why: "As for malformed trailers.",
  },
  {
    reason: "the client asks for the end of the connection",
    shows: /HTTP\/1\.0\r[^]*^connection:(?=.*keep-alive)(?![ \t]*keep-alive[ \t]*\r)/im,
    why: "Connection is a list of options (RFC 9110 section 7.6.1); nginx looks for `keep-alive` anywhere in the value.",
  },
];

export interface LaxerThanNginx {
  /** Found in the message in the log of nginx, which is empty if it refused nothing. */
  readonly refusal: RegExp;
  readonly shows: RegExp;
  readonly why: string;
}

/** Refused by nginx for reasons of its own, accepted by ours because the RFC lets a server. */
export const laxerThanNginx: readonly LaxerThanNginx[] = [
  {
    refusal: /^client sent invalid host header/,
    shows: /^host:[ \t]*(?:\r|[:.]|.*[^\w.: \r-]|\S+ +[^ \r])/im,
    why: "Tabs around a value are no part of it (RFC 9110 section 5.5). Whether a host is one is judged where requests are routed.",
  },
  {
    refusal: /^client sent duplicate host header/,
    shows: /^host:[^]*^host:/im,
    why: "As for a Host that is invalid: the proxy refuses more than one (RFC 9112 section 3.2), the parser does not judge them.",
  },
  {
    refusal: /^client sent HTTP\/1.1 request without "Host" header/,
    shows: /HTTP\/1\.1\r\n/,
    why: "The parser does not judge Host (RFC 9112 section 3.2); the proxy does where requests are routed.",
  },
  {
    refusal: /^client sent invalid request/,
    shows: /[A-Z_-]+ (?:(?!\/|[a-z]+:\/\/[\w.:-]*[/? ])|\S*%(?![\da-f]{2}))/i,
    why: "`OPTIONS *` is a request (RFC 9112 section 3.2.4). What a target names is judged where requests are routed.",
  },
  {
    refusal: /^client sent invalid "Content-Length" header/,
    shows: /^content-length:[ \t]*\t/im,
    why: "Tabs in front of a value are no part of it (RFC 9110 section 5.5); nginx skips spaces alone.",
  },
  {
    refusal: /^client sent unknown "Transfer-Encoding"/,
    shows: /^transfer-encoding:[ \t]*\t/im,
    why: "As for Content-Length.",
  },
  {
    refusal: /^$/,
    shows: /^connection:(?=.*close)(?![ \t]*close[ \t]*\r)/im,
    why: "Connection is a list of options (RFC 9110 section 7.6.1); nginx looks for `close` anywhere in the value.",
  },
];
