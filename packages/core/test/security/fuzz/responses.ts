/** What upstreams say. */

import fc, { type Arbitrary } from "fast-check";
import type { Leaving, Play } from "./input.ts";
import { mutations } from "./mutations.ts";
import { cuts } from "./pacing.ts";
import { acceptPlace, askedPlace } from "./tag.ts";
import { mostly, sometimes } from "./weighted.ts";

// 400, 408, 417 and 431 are what a server answers by itself to a request out of grammar; an upstream's are left out, so
// that one is never taken for the other.
const statusLine: Arbitrary<string> = mostly(
  fc
    .constantFrom(
      ...[
        "200 OK",
        "200 OK",
        "200 OK",
        "200",
        "201 Created",
        "204 No Content",
        "206 Partial",
        "302 Found",
        "304 Not Modified",
      ],
      ...["404 Not Found", "413 \xe4\xf6", "500 x", "503 Busy", "599 "],
    )
    .map((status) => `HTTP/1.1 ${status}`),
  fc.constantFrom(
    ...[
      "HTTP/1.0 200 OK",
      "HTTP/1.0 404 x",
      "HTTP/1.1 101 Switching Protocols",
      "HTTP/1.1 99 x",
      "HTTP/1.1 1000 x",
      "HTTP/1.1 600 x",
    ],
    ...[
      "HTTP/1.1 200OK",
      "HTTP/2.0 200 OK",
      "HTTP/1.2 200 OK",
      "http/1.1 200 OK",
      "HTTP/1.1  200 OK",
      "HTTP/1.1\t200 OK",
      "ICY 200 OK",
    ],
    ...["HTTP/1.1 200 O\0K", "SSH-2.0-x", "\r\nHTTP/1.1 200 OK", "HTTP/1.1 -20 x", "HTTP/1.1 000 x", "HTTP/1.1", ""],
  ),
);

const plainLine = fc.constantFrom(
  ...[
    "Server: x",
    "Set-Cookie: a=b",
    "set-cookie: c=d",
    "X-Y: \xe4\xff",
    "x-empty:",
    "X-Y:\t1 \t",
    "Location: //evil/x",
    "Via: 1.1 x",
  ],
  ...[
    "Content-Type: text/plain",
    "Content-Type: text/event-stream",
    "Date: Tue, 15 Nov 1994 08:12:31 GMT",
    "Vary: *",
    "__proto__: x",
  ],
  ...[
    "Connection: keep-alive",
    "Connection: close",
    "Connection: X-Y, Server",
    "Keep-Alive: timeout=1",
    "Trailer: X-Y",
    "X-Y: 2",
  ],
  ...[
    "Connection: Content-Length",
    "Upgrade: h2c",
    "Proxy-Authenticate: x",
    "Transfer_Encoding: chunked",
    "Keep-Alive: timeout=0, max=x",
  ],
);

const nastyLine = fc.constantFrom(
  ...[
    "Content-Length: 5",
    "Content-Length: 0",
    "Content-Length: +5",
    "Content-Length: 05",
    "Content-Length: 5, 5",
    "Content-Length:",
  ],
  ...["Content-Length: -1", "Content-Length: 18446744073709551616", "Content-Length : 5", "Transfer-Encoding: chunked"],
  ...[
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, gzip",
    "Transfer-Encoding: identity",
    "Transfer-Encoding:",
  ],
  ...[
    "Transfer-Encoding : chunked",
    "transfer-encoding:\tchunked\t",
    "X: a\r\n b",
    ": a",
    "X",
    " X: a",
    "X: a\rb",
    "X: a\nb",
    "X: a\0b",
  ],
  ...[
    "X\xe4: a",
    "X: \x7f",
    "Connection: upgrade\r\nUpgrade: websocket",
    "X: a\r\n Content-Length: 5",
    "Connection: close, x",
  ],
);

const lines: Arbitrary<readonly string[]> = fc
  .tuple(fc.array(plainLine, { maxLength: 4, size: "small" }), sometimes(nastyLine))
  .map(([plain, nasty]) => [...plain, ...nasty]);

const data: Arbitrary<string> = fc
  .tuple(
    fc.constantFrom("", ".", "\r\n", "0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "\0\xff"),
    mostly(fc.nat(40), fc.nat(20_000)),
  )
  .map(([text, more]) => `${askedPlace}${text}${"z".repeat(more)}`);

interface Framed {
  readonly lines: readonly string[];
  readonly bytes: string;
}

const chunkOf: Arbitrary<string> = fc
  .tuple(
    data,
    mostly(fc.constant(""), fc.constantFrom(";a", ";a=b", ';a="b c"', ";", ";a=", " ;a", ";\n")),
    mostly(fc.constant(""), fc.constantFrom("0", "0x", " ", "-", "00000000000000")),
  )
  .map(([bytes, extension, before]) => `${before}${bytes.length.toString(16)}${extension}\r\n${bytes}\r\n`);

const trailers: Arbitrary<string> = mostly(
  fc.constant(""),
  fc.constantFrom(
    "X-Y: 1\r\n",
    "Content-Length: 5\r\n",
    "X-Y: 1\r\nx-z: \xe4\r\n",
    "X\r\n",
    " X: 1\r\n",
    "X: 1\n",
    "Set-Cookie: a=b\r\n",
    "Transfer-Encoding: x\r\n",
  ),
  2,
);

const framed: Arbitrary<Framed> = fc.oneof(
  { weight: 4, arbitrary: data.map((bytes) => ({ lines: [`Content-Length: ${bytes.length}`], bytes })) },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.array(chunkOf, { maxLength: 3 }), trailers).map(([chunks, after]) => ({
      lines: ["Transfer-Encoding: chunked"],
      bytes: `${chunks.join("")}0\r\n${after}\r\n`,
    })),
  },
  { weight: 2, arbitrary: data.map((bytes) => ({ lines: [], bytes })) },
  { weight: 1, arbitrary: fc.constant({ lines: [], bytes: "" }) },
  { weight: 1, arbitrary: fc.constant({ lines: ["Content-Length: 0"], bytes: "" }) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(data, fc.integer({ min: 1, max: 30 }))
      .map(([bytes, more]) => ({ lines: [`Content-Length: ${bytes.length + more}`], bytes })),
  },
);

const interim: Arbitrary<string> = fc
  .tuple(
    fc.constantFrom("100 Continue", "102 Processing", "103 Early Hints", "199 x"),
    fc.array(plainLine, { maxLength: 2 }),
  )
  .map(([status, fields]) => `${[`HTTP/1.1 ${status}`, ...fields].join("\r\n")}\r\n\r\n`);

const interims = mostly(
  fc.constant(""),
  fc.tuple(interim, fc.constantFrom(1, 1, 1, 2, 32, 33)).map(([text, times]) => text.repeat(times)),
);

const surplus: Arbitrary<readonly string[]> = sometimes(
  fc.constantFrom(
    "x",
    "\r\n",
    "HTTP/1.1 200 OK\r\nX-Tag: evil\r\nContent-Length: 4\r\n\r\nevil",
    "0\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
  ),
);

const answer: Arbitrary<string> = fc
  .record({ interims, statusLine, lines, framed, surplus })
  .map((parts) =>
    [
      parts.interims + parts.statusLine,
      ...parts.lines,
      `X-Tag: ${askedPlace}`,
      ...parts.framed.lines,
      `\r\n${parts.framed.bytes}${parts.surplus.join("")}`,
    ].join("\r\n"),
  );

const switching = fc
  .tuple(
    fc.constantFrom(acceptPlace, "x", `${acceptPlace}, x`),
    fc.constantFrom("websocket", "WebSocket", "h2c"),
    fc.constantFrom("", "\x81\x00", "HTTP/1.1 200 OK\r\n\r\n"),
  )
  .map(
    ([accept, protocol, behind]) =>
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n${behind}`,
  );

/** Right and wrong ones. */
export const anyPlays: Arbitrary<readonly Play[]> = fc.array(
  fc.record({
    bytes: mostly(answer, switching),
    switches: fc.boolean(),
    mutations,
    cuts,
    early: mostly(fc.constant(false), fc.constant(true), 2),
    end: fc.constantFrom<(Leaving | "keep")[]>("keep", "keep", "keep", "fin", "rst"),
    truncateAt: mostly(fc.constant(undefined), fc.nat(3_000), 1),
  }),
  { minLength: 1, maxLength: 3 },
);

/** What a good upstream says to everything, at most a little early. */
export const goodPlays: Arbitrary<readonly Play[]> = fc.array(
  fc.record({
    bytes: fc.constantFrom(
      `HTTP/1.1 200 OK\r\nX-Tag: ${askedPlace}\r\nContent-Length: 8\r\n\r\n${askedPlace}`,
      `HTTP/1.1 200 OK\r\nX-Tag: ${askedPlace}\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n${askedPlace}\r\n0\r\n\r\n`,
    ),
    switches: fc.boolean(),
    mutations: fc.constant([]),
    cuts: fc.constant([]),
    early: mostly(fc.constant(false), fc.constant(true)),
    end: fc.constant("keep" as const),
    truncateAt: fc.constant(undefined),
  }),
  { minLength: 1, maxLength: 2 },
);
