import type { ProxyOptions } from "../../../src/config/options.ts";
import { both, forwarded, holds } from "../../support/expectations.ts";
import type { RawCase } from "../../support/raw-case.ts";
import { type Script, saying } from "../../support/recording-upstream.ts";
import { valuesOf } from "../../support/strict-http.ts";

const mixed = (text: string) =>
  [...text].map((c, index) => (index % 2 === 0 ? c.toLowerCase() : c.toUpperCase())).join("");
const spellings: readonly (readonly [string, (text: string) => string])[] = [
  ["as they are", (text) => text],
  ["lower case", (text) => text.toLowerCase()],
  ["upper case", (text) => text.toUpperCase()],
  ["mixed case", mixed],
];

const ours = [
  "X-Forwarded-For",
  "X-Forwarded-Host",
  "X-Forwarded-Proto",
  "X-Forwarded-Port",
  "X-Forwarded-Prefix",
  "X-Real-IP",
  "X-Request-Id",
  "Via",
  "Forwarded",
  "Host",
  "Content-Length",
  "Transfer-Encoding",
];

function get(lines: readonly string[], body = ""): string {
  return `${["POST /case HTTP/1.1", "Host: h", ...lines, `Content-Length: ${body.length}`].join("\r\n")}\r\n\r\n${body}`;
}

/** A header that a route's configuration sets. */
function settingInternalAuth(url: string): ProxyOptions {
  return {
    pools: { main: { upstreams: [url], retry: { attempts: 0 } } },
    routes: [{ pool: "main", requestHeaders: { set: { "X-Internal-Auth": "yes" } } }],
    forwarded: true,
  };
}

/** Said in one line, and said in a line for each. */
function connectionLines(names: readonly string[]): readonly (readonly [string, string[]])[] {
  return [
    ["in one line", [`Connection: close, ${names.join(", ")}`]],
    ["in a line each", ["Connection: keep-alive", ...names.map((name) => `Connection: ${name}`)]],
    ["with empty elements", [`Connection: ,, ${names.join(" ,\t, ")} ,`]],
  ];
}

const nominated = [...ours, "Cookie", "Authorization", "X-Internal-Auth", "X-Secret"];

const strips: readonly RawCase[] = spellings.flatMap(([spelling, spell]) =>
  connectionLines(nominated.map(spell)).map(([how, lines]) => ({
    id: `C01 Connection names what the proxy adds, ${spelling}, ${how}`,
    bytes: get(
      [...lines, "Cookie: a=1", "Authorization: x", "X-Internal-Auth: mine", "X-Secret: 1", "X-Stays: 1"],
      "hello",
    ),
    options: settingInternalAuth,
    expect: forwarded({
      body: "hello",
      fields: {
        Host: ["h"],
        "Content-Length": ["5"],
        "X-Forwarded-For": ["127.0.0.1"],
        "X-Forwarded-Host": ["h"],
        "X-Forwarded-Proto": ["http"],
        "X-Forwarded-Port": ["80"],
        Via: ["1.1 evenkeel"],
        Forwarded: ["for=127.0.0.1;host=h;proto=http"],
        "X-Internal-Auth": ["yes"],
        Cookie: [],
        Authorization: [],
        "X-Secret": [],
        "X-Stays": ["1"],
        Connection: [],
      },
      head: /\r\nX-Request-Id: [\w-]+\r\n/,
    }),
  })),
);

const hopByHop: readonly (readonly [string, string])[] = [
  ["Connection", "x-a"],
  ["Keep-Alive", "timeout=5"],
  ["Proxy-Connection", "keep-alive"],
  ["Proxy-Authenticate", "Basic"],
  ["Proxy-Authorization", "Basic eDp5"],
  ["TE", "gzip"],
  ["Trailer", "X-Late"],
  ["HTTP2-Settings", "AAMAAABk"],
];

const requestStrips: readonly RawCase[] = hopByHop.flatMap(([name, value]) =>
  spellings.map(([spelling, spell]) => ({
    id: `C03 ${name} in a request, ${spelling}`,
    bytes: get([`${spell(name)}: ${value}`]),
    expect: forwarded({ fields: { [name]: [] } }),
    packets: ["one packet"] as const,
  })),
);

const teTrailers: readonly RawCase[] = [
  "trailers",
  "Trailers",
  "gzip, trailers",
  "trailers;q=0.5, gzip",
  "gzip;q=1",
].map((value) => ({
  id: `C03 TE: ${value} keeps nothing but trailers`,
  bytes: get([`TE: ${value}`]),
  expect: both(
    forwarded({}),
    holds("TE is trailers or nothing", ({ requests }) =>
      valuesOf(requests[0]?.fields ?? [], "te").every((te) => te === "trailers"),
    ),
  ),
}));

const body = "Content-Length: 2\r\n\r\nok";

const responseStrips: readonly RawCase[] = [...hopByHop, ["Upgrade", "h2c"] as const].flatMap(([name, value]) =>
  ["200 OK", "404 Not Found"].map((status) => ({
    id: `C03 ${name} in a ${status.slice(0, 3)}`,
    bytes: get([]),
    upstream: saying(`HTTP/1.1 ${status}\r\n${name}: ${value}\r\n${body}`),
    expect: holds("stripped", ({ responses: [response] }) =>
      name === "Connection"
        ? valuesOf(response?.fields ?? [], "connection").every((value) => value === "keep-alive")
        : name === "Keep-Alive"
          ? // Node says how long it keeps the connection: that is this hop's own.
            !valuesOf(response?.fields ?? [], "keep-alive").includes("timeout=77")
          : valuesOf(response?.fields ?? [], name.toLowerCase()).length === 0,
    ),
    packets: ["one packet"] as const,
  })),
);

const named =
  "Connection: X-Hop, Set-Cookie, Content-Length, close\r\nX-Hop: 1\r\nConnection: x-HOP2\r\nX-Hop2: 1\r\nX-Stays: 1\r\n";

const responseNames: readonly RawCase[] = [
  {
    id: "C03 what a response's Connection names",
    bytes: get([]),
    upstream: saying(`HTTP/1.1 200 OK\r\n${named}${body}`),
    expect: holds("stripped, framing and the rest kept, our connection kept", ({ responses: [response], followed }) => {
      const fields = response?.fields ?? [];
      const gone = ["x-hop", "x-hop2"].every((name) => valuesOf(fields, name).length === 0);
      return gone && followed && valuesOf(fields, "x-stays")[0] === "1" && response?.body.toString() === "ok";
    }),
  },
  {
    id: "C03 a 103 with headers of its hop",
    bytes: get([]),
    upstream: saying(
      `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=7\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\nTrailer: X\r\nTE: gzip\r\n\r\nHTTP/1.1 200 OK\r\n${body}`,
    ),
    expect: holds("stripped", ({ informational: [hints], responses }) => {
      const names = hints?.fields.map(([name]) => name.toLowerCase()) ?? [];
      const leaked = ["connection", "x-hop", "keep-alive", "proxy-authenticate", "upgrade", "trailer", "te"];
      return names.includes("link") && responses[0]?.status === 200 && leaked.every((name) => !names.includes(name));
    }),
  },
  {
    id: "C19 Set-Cookie is never joined",
    bytes: get([]),
    upstream: saying(
      `HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Expires=Wed, 01 Jan 2025\r\nX: 1\r\nset-cookie: b=2\r\nSet-Cookie: a=3\r\n${body}`,
    ),
    expect: both(
      holds(
        "three, in order",
        ({ responses: [response] }) =>
          valuesOf(response?.fields ?? [], "set-cookie").join("|") === "a=1; Expires=Wed, 01 Jan 2025|b=2|a=3",
      ),
      holds(
        "as they came",
        ({ text, traits }) =>
          traits.setsHeaders ||
          /Set-Cookie: a=1; Expires=Wed, 01 Jan 2025\r\nX: 1\r\nset-cookie: b=2\r\nSet-Cookie: a=3\r\n/.test(text),
      ),
    ),
  },
  {
    id: "C14 8-bit bytes in an answer's values",
    bytes: get([]),
    upstream: saying(`HTTP/1.1 200 \xc3\xb6k\r\nX-A: \x80\xa0\xff\r\n${body}`),
    expect: holds("as they came", ({ text }) => text.includes("X-A: \x80\xa0\xff\r\n")),
  },
];

const trailer = (...fields: string[]): Script =>
  saying(
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: ${fields.map((field) => field.split(":")[0]).join(", ")}\r\n\r\n2\r\nok\r\n0\r\n${fields.map((field) => `${field}\r\n`).join("")}\r\n`,
  );

const responseTrailers: readonly RawCase[] = [
  ...["X-Late: 1", "Server-Timing: a"].flatMap((field) => [
    {
      id: `${field} as a trailer to a client that asked`,
      bytes: get(["TE: trailers", "Connection: TE"]),
      upstream: trailer(field),
      expect: holds(
        "there, or dropped whole",
        ({ responses: [response] }) =>
          response?.complete === true && response.body.toString() === "ok" && response.trailers.length <= 1,
      ),
    },
    {
      id: `${field} as a trailer to a client that did not ask`,
      bytes: get([]),
      upstream: trailer(field),
      expect: holds(
        "dropped",
        ({ responses: [response] }) => response?.complete === true && response.trailers.length === 0,
      ),
    },
  ]),
  ...[
    "Set-Cookie: a=1",
    "Connection: close",
    "Location: /evil",
    "WWW-Authenticate: Basic",
    "Content-Type: text/html",
    "Trailer: x",
    "Keep-Alive: timeout=1",
    "Upgrade: h2c",
    "Via: 1.1 evil",
    "Content-Encoding: gzip",
    "Cache-Control: public",
    "Host: evil",
    "Proxy-Authenticate: Basic",
    "Vary: *",
  ].map((field) => ({
    id: `${field} as a trailer of an answer`,
    bytes: get(["TE: trailers", "Connection: TE"]),
    upstream: trailer(field),
    expect: holds(
      "dropped",
      ({ responses: [response] }) => response?.complete === true && response.trailers.length === 0,
    ),
  })),
  ...["Content-Length: 5", "Transfer-Encoding: chunked"].map((field) => ({
    id: `${field} as a trailer of an answer`,
    bytes: get(["TE: trailers", "Connection: TE"]),
    upstream: trailer(field),
    expect: holds(
      "dropped, or the answer cut off",
      ({ responses: [response] }) =>
        response === undefined || !response.complete || response.status === 502 || response.trailers.length === 0,
    ),
  })),
];

export const connectionTokenStripping: readonly RawCase[] = [
  ...strips,
  ...requestStrips,
  ...teTrailers,
  ...responseStrips,
  ...responseNames,
  ...responseTrailers,
];
