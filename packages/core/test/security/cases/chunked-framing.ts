import { both, forwarded, oneOf, rejected, rejectedMidBody } from "../../support/expectations.ts";
import type { RawCase } from "../../support/raw-case.ts";
import type { Packets } from "../../support/raw-client.ts";

const head = "POST /case HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n";
const hidden = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";

function chunks(body: string, lines: readonly string[] = []): string {
  return `${head}${lines.map((line) => `${line}\r\n`).join("")}\r\n${body}`;
}

const sizes: readonly RawCase[] = [
  "0x5",
  "+5",
  "-0",
  "-5",
  "0_2e",
  " 5",
  "\t5",
  "5 ",
  "5\t",
  "",
  "G",
  "5g",
  "\xb2",
  "00000000000000005",
  "10000000000000005",
  "fffffffffffffffff",
  "5,5",
  "5\0",
  "5\x0b",
  "5.0",
  "0x0",
  '"5"',
].flatMap((size) => [
  {
    id: `A22 first size ${JSON.stringify(size)}`,
    bytes: chunks(`${size}\r\nhello\r\n0\r\n\r\n${hidden}`),
    // White space behind a size, and zeros in front, are for the proxy to take off.
    expect: /^(?:5[ \t]|0+5)$/.test(size)
      ? oneOf(rejectedMidBody(400), forwarded({ body: "hello" }, { target: "/smuggled" }))
      : rejectedMidBody(400),
    answers: 2,
  },
  {
    id: `A22 second size ${JSON.stringify(size)}`,
    bytes: chunks(`5\r\nhello\r\n${size}\r\nhello\r\n0\r\n\r\n`),
    expect: /^(?:5[ \t]|0+5)$/.test(size)
      ? oneOf(rejectedMidBody(400), forwarded({ body: "hellohello" }))
      : rejectedMidBody(400),
  },
]);

const ends: readonly RawCase[] = [
  ["a bare LF behind the size", "5\nhello\r\n0\r\n\r\n"],
  ["a bare CR behind the size", "5\rhello\r\n0\r\n\r\n"],
  ["CR CR LF behind the size", "5\r\r\nhello\r\n0\r\n\r\n"],
  ["a bare LF behind the data", "5\r\nhello\n0\r\n\r\n"],
  ["a bare CR behind the data", "5\r\nhello\r0\r\n\r\n"],
  ["no line end behind the data", "5\r\nhello0\r\n\r\n"],
  ["more data than the size says", "5\r\nhello!\r\n0\r\n\r\n"],
  ["less data than the size says", "5\r\nhell\r\n0\r\n\r\n"],
  ["a bare LF behind the last size", `0\n\r\n${hidden}`],
  ["a bare LF as the last line", `0\r\n\n${hidden}`],
  ["a bare CR in front of the last line", `0\r\n\r\r\n${hidden}`],
  ["a last size of -0", `-0\r\n\r\n${hidden}`],
].map(([id = "", body = ""]) => ({ id: `A22 ${id}`, bytes: chunks(body), expect: rejectedMidBody(400) }));

const zeros: readonly RawCase[] = [
  ["many zeros as the last size", `5\r\nhello\r\n${"0".repeat(12)}\r\n\r\n`],
  ["capital digits", `A\r\n0123456789\r\n0\r\n\r\n`],
  ["zeros in front of a size", "005\r\nhello\r\n0\r\n\r\n"],
].map(([id = "", body = ""]) => ({
  id: `A22 ${id}`,
  bytes: chunks(body),
  expect: oneOf(rejectedMidBody(400), forwarded({ body: body.includes("hello") ? "hello" : "0123456789" })),
}));

const extensions: readonly RawCase[] = [
  ["A24 an extension", "5;a=b\r\nhello\r\n0\r\n\r\n"],
  ["A24 an extension without a value", "5;a\r\nhello\r\n0\r\n\r\n"],
  ["A24 a quoted extension", '5;a="b;c"\r\nhello\r\n0\r\n\r\n'],
  ["A24 an extension of the last chunk", "5\r\nhello\r\n0;a=b\r\n\r\n"],
  ["A24 many extensions", "5;a=b;c=d;e\r\nhello\r\n0\r\n\r\n"],
].map(([id = "", body = ""]) => ({ id, bytes: chunks(body), expect: forwarded({ body: "hello", trailers: [] }) }));

/** CVE-2025-58056 and its family: what one reader takes for a part of the extension is the end of the line for another. */
const doubtfulExtensions: readonly RawCase[] = [
  ["A24 a bare LF in an extension", "5;a\nb\r\nhello\r\n0\r\n\r\n"],
  ["A24 a bare CR in an extension", "5;a\rb\r\nhello\r\n0\r\n\r\n"],
  ["A24 a line end in a quoted extension", '5;a="\r\nhello\r\n0\r\n\r\n'],
  ["A24 an extension without a name", "5;\r\nhello\r\n0\r\n\r\n"],
  ["A24 a space in front of an extension", "5 ;a=b\r\nhello\r\n0\r\n\r\n"],
  ["A24 a space behind the semicolon", "5; a=b\r\nhello\r\n0\r\n\r\n"],
  ["A24 NUL in an extension", "5;a\0=b\r\nhello\r\n0\r\n\r\n"],
  ["A24 an extension that never ends its quote", '5;a="b\r\nhello\r\n0\r\n\r\n'],
].map(([id = "", body = ""]) => ({
  id,
  bytes: chunks(body),
  expect: oneOf(rejectedMidBody(400), forwarded({ body: "hello" })),
}));

const extensionFlood = `1;${"a".repeat(4_094)}\r\nx\r\n`;
const floods: readonly RawCase[] = [
  {
    id: "A25 chunks of a byte with 4 KiB of extension each",
    bytes: chunks(`${extensionFlood.repeat(2_500)}0\r\n\r\n`),
    expect: rejectedMidBody(400, 413),
    packets: ["one packet"],
  },
  {
    id: "A25 one extension of 64 KiB",
    bytes: chunks(`5;${"a".repeat(65_536)}\r\nhello\r\n0\r\n\r\n`),
    expect: rejectedMidBody(400, 413),
    packets: ["one packet", "line by line"],
  },
  {
    id: "A36 trailers without an end",
    bytes: chunks(`0\r\n${"X-Trailer: 1\r\n".repeat(20_000)}`),
    expect: rejectedMidBody(400, 413, 431),
    packets: ["one packet"],
  },
  {
    id: "A36 one trailer of 64 KiB",
    bytes: chunks(`0\r\nX-Trailer: ${"a".repeat(65_536)}\r\n\r\n`),
    expect: rejectedMidBody(400, 413, 431),
    packets: ["one packet", "line by line"],
  },
  {
    id: "A36 trailers of more fields than a head may have",
    bytes: chunks(`5\r\nhello\r\n0\r\n${"X: 1\r\n".repeat(1_000)}\r\n`, ["TE: trailers"]),
    expect: oneOf(rejectedMidBody(400, 413, 431), forwarded({ body: "hello", trailers: [] })),
    packets: ["one packet", "line by line"],
  },
  {
    id: "thousands of chunks of a byte",
    bytes: chunks(`${"1\r\nx\r\n".repeat(5_000)}0\r\n\r\n`),
    expect: forwarded({ body: "x".repeat(5_000) }),
    packets: ["one packet"],
  },
  {
    id: "hundreds of chunks of a byte",
    bytes: chunks(`${"1\r\nx\r\n".repeat(300)}0\r\n\r\n`),
    expect: forwarded({ body: "x".repeat(300) }),
    packets: ["line by line"],
  },
];

const trailerNames = [
  "Content-Length",
  "Transfer-Encoding",
  "Host",
  "Authorization",
  "Proxy-Authorization",
  "Cookie",
  "Connection",
  "Upgrade",
  "X-Forwarded-For",
  "X-Forwarded-Host",
  "X-Forwarded-Proto",
  "X-Real-IP",
  "X-Request-Id",
  "Forwarded",
  "Via",
  "X_Forwarded_For",
  "X_Real_IP",
  "x.forwarded.for",
  "TE",
  "Trailer",
  "Expect",
  "Content-Type",
  "Content-Encoding",
  "Content-Range",
  "Cache-Control",
  "Max-Forwards",
  "Range",
  "If-Match",
  "If-None-Match",
  "Set-Cookie",
  "cOnTeNt-LeNgTh",
  "Keep-Alive",
  "Proxy-Connection",
  "HTTP2-Settings",
];

const trailers: readonly RawCase[] = trailerNames.flatMap((name) =>
  [[], ["TE: trailers", `Trailer: ${name}`]].map((lines) => ({
    id: `A35 ${name} as a trailer${lines.length > 0 ? ", announced" : ""}`,
    bytes: chunks(`5\r\nhello\r\n0\r\n${name}: 1\r\n\r\n`, lines),
    expect: oneOf(
      rejected(400),
      rejectedMidBody(400),
      forwarded({ body: "hello", trailers: [], fields: { Trailer: [] } }),
    ),
  })),
);

const trailersPassOrNot: readonly RawCase[] = [
  {
    id: "A35 X_Auth_User as a trailer",
    bytes: chunks("5\r\nhello\r\n0\r\nX_Auth_User: root\r\n\r\n"),
    expect: forwarded({ body: "hello", trailers: [], notHead: /auth.user/i }),
  },
  {
    id: "a trailer is never a header",
    bytes: chunks("5\r\nhello\r\n0\r\nX-Late: 1\r\n\r\n", ["TE: trailers", "Trailer: X-Late"]),
    expect: forwarded({ body: "hello", fields: { "X-Late": [] } }),
  },
  {
    id: "a request behind trailers is the next one",
    bytes: `${chunks("5\r\nhello\r\n0\r\nX-Late: 1\r\n\r\n")}GET /next HTTP/1.1\r\nHost: h\r\n\r\n`,
    answers: 2,
    expect: both(forwarded({ body: "hello", target: "/case" }, { target: "/next", fields: { "X-Late": [] } })),
  },
  {
    id: "a folded trailer",
    bytes: chunks("5\r\nhello\r\n0\r\nX-Late: 1\r\n 2\r\n\r\n"),
    expect: rejectedMidBody(400),
  },
  {
    id: "a trailer with a space before its colon",
    bytes: chunks("5\r\nhello\r\n0\r\nX-Late : 1\r\n\r\n"),
    expect: rejectedMidBody(400),
  },
  {
    id: "a trailer with a bare CR",
    bytes: chunks("5\r\nhello\r\n0\r\nX-Late: 1\r2\r\n\r\n"),
    expect: rejectedMidBody(400),
  },
];

const quick: readonly Packets[] = ["one packet", "byte by byte"];

export const chunkedFraming: readonly RawCase[] = [
  ...sizes,
  ...ends,
  ...zeros,
  ...extensions,
  ...doubtfulExtensions,
  ...floods,
  ...trailers.map((rawCase) => ({ ...rawCase, packets: quick })),
  ...trailersPassOrNot,
];
