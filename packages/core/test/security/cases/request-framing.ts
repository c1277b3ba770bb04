import { both, closed, forwarded, holds, oneOf, rejected } from "../../support/expectations.ts";
import type { RawCase } from "../../support/raw-case.ts";

/** Headers in front, by themselves the beginning of a request that is right. */
function request(lines: readonly string[], body = "", method = "POST"): string {
  return `${[`${method} /case HTTP/1.1`, "Host: h", ...lines].join("\r\n")}\r\n\r\n${body}`;
}

const smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
const chunkedHello = "5\r\nhello\r\n0\r\n\r\n";

const contradictions: readonly RawCase[] = [
  ["A01 length, then coding", request(["Content-Length: 31", "Transfer-Encoding: chunked"], smuggled)],
  ["A02 coding, then length", request(["Transfer-Encoding: chunked", "Content-Length: 31"], smuggled)],
  ["A02 odd case", request(["cONTENT-lENGTH: 31", "X: 1", "tRANSFER-eNCODING: cHUNKED"], smuggled)],
  ["A02 a length of 0 beside the coding", request(["Content-Length: 0", "Transfer-Encoding: chunked"], smuggled)],
  ["A03 two lengths", request(["Content-Length: 0", "Content-Length: 31"], smuggled)],
  ["A03 two lengths, odd case", request(["Content-Length: 31", "CONTENT-LENGTH: 0"], smuggled)],
  ["A04 the same length twice", request(["Content-Length: 5", "Content-Length: 5"], "hello")],
  ["A04 the same length twice in a list", request(["Content-Length: 5, 5"], "hello")],
  ["A04 a list with nothing in it", request(["Content-Length: 5,"], "hello")],
].map(([id = "", bytes = ""]) => ({ id, bytes, expect: rejected(400) }));

const lengths: readonly RawCase[] = [
  "+5",
  "-48",
  "-0",
  "0x10",
  "0x5",
  "1_0",
  "1Z",
  "5 5",
  "",
  " ",
  "5.",
  "5.0",
  "5e0",
  '"5"',
  "18446744073709551616",
  "18446744073709551621",
  "9007199254740993000",
  "5;",
  "5\t5",
  "\xb2",
  "5\x0b",
  "chunked",
  "NaN",
  "Infinity",
].map((value) => ({
  id: `A06 length ${JSON.stringify(value)}`,
  bytes: request([`Content-Length: ${value}`], "hello"),
  expect: rejected(400),
}));

const octal: readonly RawCase[] = ["010", "0010", "00000000000000000010"].map((value) => ({
  id: `A07 length ${value}`,
  bytes: request([`Content-Length: ${value}`], "0123456789"),
  expect: oneOf(rejected(400), forwarded({ body: "0123456789", fields: { "Content-Length": ["10"] } })),
}));

const codings: readonly RawCase[] = [
  "chunked, chunked",
  "chunked, gzip, chunked",
  "chunked, gzip",
  "gzip",
  "identity",
  "gzip, chunked",
  "identity, chunked",
  "chunked;a=b",
  "xchunked",
  "chunked-x",
  '"chunked"',
  "'chunked'",
  "chunke",
  "chunkedd",
  "x chunked",
  "chunked x",
  "\x0bchunked",
  "chunked\x0b",
  "chunked\x0c",
  "c\xa0hunked",
  "",
].map((value) => ({
  id: `A08 coding ${JSON.stringify(value)}`,
  bytes: request([`Transfer-Encoding: ${value}`], chunkedHello),
  expect: rejected(400, 501),
}));

/** Lists may have empty elements, and values spaces and tabs around them (RFC 9110 section 5.6.1): readers differ. */
const doubtfulCodings: readonly RawCase[] = [
  ",chunked",
  "chunked,",
  " ,chunked",
  "chunked ,",
  "\tchunked",
  "chunked\t",
  "chunked ",
  "CHUNKED",
].map((value) => ({
  id: `A08 coding ${JSON.stringify(value)}`,
  bytes: request([`Transfer-Encoding: ${value}`], chunkedHello),
  expect: oneOf(rejected(400, 501), forwarded({ body: "hello", fields: { "Transfer-Encoding": ["chunked"] } })),
}));

const repeatedCodings: readonly RawCase[] = [
  ["A09 chunked twice", ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]],
  ["A09 chunked and identity", ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"]],
  ["A09 identity and chunked", ["Transfer-Encoding: identity", "Transfer-Encoding: chunked"]],
  ["A09 nothing and chunked", ["Transfer-Encoding:", "Transfer-Encoding: chunked"]],
  ["A09 chunked and nothing", ["Transfer-Encoding: chunked", "Transfer-Encoding:"]],
  ["A09 with other headers between", ["Transfer-Encoding: chunked", "X: 1", "transfer-encoding: chunked"]],
].map(([id, lines]) => ({
  id: id as string,
  bytes: request(lines as string[], chunkedHello),
  expect: rejected(400, 501),
}));

const spelling: readonly RawCase[] = [
  ["A14 a space before the length's colon", "Content-Length : 34"],
  ["A14 a space before the coding's colon", "Transfer-Encoding : chunked"],
  ["A14 a tab before the coding's colon", "Transfer-Encoding\t: chunked"],
  ["A14 a vertical tab before the colon", "Transfer-Encoding\x0b: chunked"],
  ["A16 a folded value", "X: a\r\n b"],
  ["A16 a folded value, by a tab", "X: a\r\n\tb"],
  ["A16 a folded coding", "Transfer-Encoding:\r\n chunked"],
  ["A16 a folded coding, behind a comma", "Transfer-Encoding: gzip,\r\n chunked"],
  ["A16 a folded length", "Content-Length: 3\r\n 4"],
  ["A16 a line of space alone", "X: a\r\n "],
  ["A18 an empty name", ": x"],
  ["A18 a line without a colon", "Content-Length"],
  ["A20 a bare CR in a value", "X: v\ra"],
  ["A20 a bare CR that begins a header", "X: v\rTransfer-Encoding: chunked"],
  ["A20 a bare LF that begins a header", "X: v\nTransfer-Encoding: chunked"],
  ["A20 CR CR LF", "X: v\r"],
  ["A21 NUL in a value", "X: a\0b"],
  ...[..."\x01\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x1b\x1f\x7f"].map((c) => [
    `A21 ${JSON.stringify(c)} in a value`,
    `X: a${c}b`,
  ]),
  ...[...'\0\x01\x7f\x80\x85\xa0\xef (),/;<=>?@[\\]{}"'].map((c) => [
    `A21 ${JSON.stringify(c)} in a name`,
    `X${c}Y: 1`,
  ]),
].map(([id = "", line = ""]) => ({ id, bytes: request([line]), expect: rejected(400) }));

const firstLines: readonly RawCase[] = [
  ["A15 a space before the first header", "GET /case HTTP/1.1\r\n Content-Length: 50\r\nHost: h\r\n\r\n"],
  ["A15 a tab before the first header", "GET /case HTTP/1.1\r\n\tHost: h\r\n\r\n"],
  ["A16 a folded Host", "GET /case HTTP/1.1\r\nHost: a\r\n\tb\r\n\r\n"],
  ["A18 an empty name before Host", "GET /case HTTP/1.1\r\n: x\r\nHost: h\r\n\r\n"],
  ["A20 bare LF everywhere", "GET /case HTTP/1.1\nHost: h\n\n"],
  ["A20 bare LF behind the request line", "GET /case HTTP/1.1\nHost: h\r\n\r\n"],
  ["A20 bare LF before the body", "POST /case HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\nhello"],
  ["A20 bare CR everywhere", "GET /case HTTP/1.1\rHost: h\r\r"],
].map(([id = "", bytes = ""]) => ({
  id,
  bytes,
  // A parser that waits for a line end that never comes has nothing to answer yet; what follows is no request of its own.
  expect: id.endsWith("bare CR everywhere")
    ? oneOf(
        rejected(400),
        holds("nothing", ({ heads }) => heads.length === 0),
      )
    : rejected(400),
}));

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "REPORT", "QUERY"];

/** The methods for which a proxy may have a rule of its own, each with each framing. A QUERY has to say its type. */
const bodies: readonly RawCase[] = methods.flatMap((method) => {
  const typed = method === "QUERY" ? ["Content-Type: a/b"] : [];
  return [
    {
      id: `A27 ${method} with a length`,
      bytes: request([...typed, "Content-Length: 5"], "hello", method),
      expect: forwarded({ method, body: "hello", fields: { "Content-Length": ["5"], "Transfer-Encoding": [] } }),
    },
    {
      id: `A27 ${method} in chunks that hide a request`,
      bytes: request(
        [...typed, "Transfer-Encoding: chunked"],
        "26\r\nGET /secret HTTP/1.1\r\nHost: secret\r\n\r\n\r\n0\r\n\r\n",
        method,
      ),
      expect: forwarded({
        method,
        body: "GET /secret HTTP/1.1\r\nHost: secret\r\n\r\n",
        fields: { "Content-Length": [], "Transfer-Encoding": ["chunked"] },
      }),
    },
    {
      id: `A27 ${method} in no chunks`,
      bytes: request([...typed, "Transfer-Encoding: chunked"], "0\r\n\r\n", method),
      expect: forwarded({ method, body: "" }),
    },
    {
      id: `A27 ${method} without a body`,
      bytes: request(typed, "", method),
      expect: forwarded({ method, body: "", fields: { "Transfer-Encoding": [] } }),
    },
    {
      id: `A27 ${method} with a length of 0`,
      bytes: request([...typed, "Content-Length: 0"], "", method),
      expect: forwarded({ method, body: "", fields: { "Transfer-Encoding": [] } }),
    },
  ];
});

const heads: readonly RawCase[] = ["Content-Length: 5", "Transfer-Encoding: chunked"].map((line) => ({
  id: `A28 HEAD with ${line}`,
  bytes: request([line], line.startsWith("C") ? "hello" : chunkedHello, "HEAD"),
  methods: ["HEAD"],
  expect: oneOf(rejected(400), forwarded({ method: "HEAD", body: "hello" })),
}));

const http10: readonly RawCase[] = [
  ...["POST", "GET", "HEAD", "DELETE", "OPTIONS"].map((method) => ({
    id: `A12 HTTP/1.0 ${method} in chunks`,
    bytes: `${method} /case HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${chunkedHello}`,
    methods: [method],
    expect: rejected(400),
  })),
  {
    id: "A12 HTTP/1.0 in chunks, kept alive",
    bytes: `POST /case HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n${chunkedHello}`,
    expect: rejected(400),
  },
  ...["GET", "HEAD", "DELETE"].map((method) => ({
    id: `A13 HTTP/1.0 ${method} with a body`,
    bytes: `${method} /case HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\nContent-Length: 38\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n1234`,
    methods: [method],
    expect: rejected(400, 413),
  })),
  {
    id: "A13 HTTP/1.0 POST with a body",
    bytes: "POST /case HTTP/1.0\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    expect: both(forwarded({ body: "hello" }), closed),
  },
  {
    id: "HTTP/1.0 without Host",
    bytes: "GET /case HTTP/1.0\r\n\r\n",
    expect: both(forwarded({ target: "/case", body: "" }), closed),
  },
];

export const requestFraming: readonly RawCase[] = [
  ...contradictions,
  ...lengths,
  ...octal,
  ...codings,
  ...doubtfulCodings,
  ...repeatedCodings,
  ...spelling,
  ...firstLines,
  ...bodies,
  ...heads,
  ...http10,
];
