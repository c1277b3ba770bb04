/** The lines of a request's head. Most are right, and each kind has those that somebody is known to read differently. */

import fc, { type Arbitrary } from "fast-check";
import { tagPlace } from "./tag.ts";
import { mostly } from "./weighted.ts";

const lineOf = (...lines: readonly string[]): Arbitrary<string> => fc.constantFrom(...lines);

export const methods: Arbitrary<string> = mostly(
  lineOf("GET", "GET", "POST", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"),
  lineOf("CONNECT", "TRACE", "QUERY", "PROPFIND", "get", "G<T", "GET?", "", "M-SEARCH", "PRI"),
);

export const versions: Arbitrary<string> = mostly(
  lineOf("HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0"),
  lineOf("HTTP/1.2", "HTTP/0.9", "HTTP/2.0", "HTTP/1.10", "http/1.1", "HTTP/1.1 ", "HTTP /1.1", "RTSP/1.0", ""),
  1,
);

const path = mostly(
  lineOf(
    ...["/{}", "/{}?a=b&c", "/api/{}", "//evil/{}", "/{}/%2e%2E/x", "/a;b/{}", "/{}/?q=%", "/%41/{}", "/{}/[x]"],
    ...["/API/{}", "/apix/{}", "/{}/a%00b", "/{}/a%0d%0ab"],
  ),
  lineOf(
    ...[
      "/api/../{}",
      "/api/%2e%2e/{}",
      "/api/..%2f{}",
      "/{}/%",
      "/{}/%zz",
      "/{}#x",
      "/{} x",
      "/{}\x01",
      "/{}\x7f",
      "/{}\xff",
    ],
    ...["\\{}", "{}", "?{}", "/{}\tx", "/..;/{}", "/{}/.%2e"],
  ),
  1,
);

const otherForms = lineOf(
  ...["http://h/{}", "http://h?{}", "HTTP://h/{}", "http://H/{}", "http://evil/{}", "http://u@h/{}", "https://h/{}"],
  ...["*", "h:443", "h:443/{}", "http:/{}", "http://h:80/{}", "ws://h/{}", "//h/{}", "*/{}"],
);

export const targets: Arbitrary<string> = mostly(path, otherForms).map((target) => target.replace("{}", tagPlace));

export const hosts: Arbitrary<readonly string[]> = mostly(
  fc.constant(["Host: h"]),
  fc.constantFrom<readonly string[]>(
    ...[
      ["host:h"],
      ["HOST:\th \t"],
      ["Host: h:80"],
      ["Host: [::1]:80"],
      ["Host: H"],
      ["Host:"],
      [],
      ["Host: h", "Host: h"],
    ],
    ...[
      ["Host: a b"],
      ["Host: h/x"],
      ["Host: u@h"],
      ["Host: h", "host: evil"],
      ["Host : h"],
      ["Host: h,evil"],
      ["Host: h\0"],
    ],
  ),
);

const endToEnd = lineOf(
  ...[
    "Accept: */*",
    "Accept: application/json",
    "Cookie: a=b",
    "Cookie: c=d; e",
    "X-Y: \xe4\xff",
    "x-empty:",
    "X-Y:1",
    "X-Y:\t2\t ",
  ],
  ...[
    "Authorization: Basic eDp5",
    "User-Agent: f",
    "Referer: /x",
    "Content-Type: text/plain",
    "Range: bytes=0-1",
    "X.Y: 1",
  ],
  ...[
    "X_Y: 1",
    "traceparent: 00-00000000000000000000000000000001-0000000000000001-00",
    `X-Y: ${"y".repeat(300)}`,
    "__proto__: x",
  ],
);

const hopByHop = lineOf(
  ...[
    "Connection: keep-alive",
    "Connection: close",
    "Connection: X-Y",
    "connection: keep-alive, x-y, Cookie",
    "Connection:",
  ],
  ...[
    "Connection: Host, Content-Length, X-Forwarded-For",
    "Connection: close, Transfer-Encoding",
    "Connection: X-Tag, close",
  ],
  ...[
    "Keep-Alive: timeout=5",
    "Proxy-Connection: close",
    "Proxy-Authorization: Basic eDp5",
    "Proxy-Authenticate: x",
    "TE: trailers",
  ],
  ...["TE: gzip, trailers", "TE: gzip", "Trailer: X-Y", "HTTP2-Settings: AAMAAABkAAQAAP__", "Connection: te, trailers"],
);

const forwarded = lineOf(
  ...[
    "X-Forwarded-For: 6.6.6.6",
    "X-Forwarded-Host: evil",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Port: 1",
    "X-Real-IP: 6.6.6.6",
  ],
  ...[
    "Forwarded: for=6.6.6.6",
    "X-Forwarded-Prefix: /evil",
    "X-Request-Id: evil",
    "Via: 1.1 evil",
    "X_Forwarded_For: 6.6.6.6",
  ],
  ...[
    "X.Forwarded.Host: evil",
    "x-forwarded_for: 6.6.6.6",
    "X_Real_IP: 6.6.6.6",
    "x-FORWARDED-for: a, b",
    "X_Request.Id: evil",
  ],
);

const framing = lineOf(
  ...[
    "Content-Length: 5",
    "Content-Length: 0",
    "Content-Length: +5",
    "Content-Length: -1",
    "Content-Length: 0x5",
    "Content-Length: 05",
  ],
  ...[
    "Content-Length: 5, 5",
    "Content-Length:",
    "Content-Length: 5 5",
    "Content-Length: 1_0",
    "Content-Length: 18446744073709551616",
  ],
  ...[
    "Content-Length : 5",
    "content-length:5\t",
    "Content_Length: 5",
    "Content-Length: 5;x",
    "Transfer-Encoding: chunked",
  ],
  ...[
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding:",
  ],
  ...[
    "Transfer-Encoding: gzip",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding : chunked",
    "transfer-encoding:\tchunked\t",
  ],
  ...[
    "Transfer-Encoding: Chunked",
    "Transfer-Encoding: chunked,",
    "Transfer-Encoding: \x0bchunked",
    "Transfer_Encoding: chunked",
  ],
  ...[
    "Transfer-Encoding: chunked;q=1",
    'Transfer-Encoding: "chunked"',
    "X: y\r\n Transfer-Encoding: chunked",
    "Transfer-Encoding\r\n : chunked",
  ],
);

const upgrades = lineOf(
  ...[
    "Upgrade: websocket",
    "Upgrade: h2c",
    "Connection: Upgrade",
    "Connection: upgrade, HTTP2-Settings",
    "Upgrade: foo, websocket",
  ],
  ...[
    "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings",
    "Sec-WebSocket-Version: 13",
    "Connection: Upgrade\r\nUpgrade: x",
  ],
);

const expectations = lineOf(
  "Expect: 100-continue",
  "eXPECT: 100-CONTINUE",
  "Expect: x",
  "Expect: 100-continue, x",
  "Expect:",
);

const broken = lineOf(
  ...[
    "X",
    ": a",
    " X: a",
    "\tX: a",
    "X: a\r\n b",
    "X Y: a",
    "X\xe4: a",
    "X: a\rb",
    "X: a\nb",
    "X: a\0b",
    "X: \x7f",
    "(X): a",
    "X : a",
  ],
  ...[
    "X: a\nTransfer-Encoding: chunked",
    "X\0: a",
    "\0",
    "X: \x1b[31m",
    "GET /smuggled HTTP/1.1",
    "X: 1\r\nHost : evil",
    "X;: a",
  ],
);

/** Lines beside Host, the tag and what frames the body. */
export const otherLines: Arbitrary<readonly string[]> = fc
  .array(
    fc.oneof(
      { weight: 16, arbitrary: endToEnd },
      { weight: 8, arbitrary: hopByHop },
      { weight: 6, arbitrary: forwarded },
      { weight: 1, arbitrary: framing },
      { weight: 1, arbitrary: upgrades },
      { weight: 1, arbitrary: expectations },
      { weight: 1, arbitrary: broken },
    ),
    { maxLength: 6, size: "small" },
  )
  .map((lines) => lines);

export const handshake: readonly string[] = [
  ...[
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
  ],
];
