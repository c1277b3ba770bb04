import type { ProxyOptions } from "../../../src/config/options.ts";
import { both, type Forwarded, forwarded, holds, oneOf, rejected } from "../../support/expectations.ts";
import { onePool, type RawCase } from "../../support/raw-case.ts";

function get(lines: readonly string[], target = "/case"): string {
  return `${[`GET ${target} HTTP/1.1`, ...lines].join("\r\n")}\r\n\r\n`;
}

const invalidHosts: readonly RawCase[] = [
  ["none", []],
  ["two", ["Host: a", "Host: b"]],
  ["the same twice", ["Host: a", "Host: a"]],
  ["two in other case", ["Host: a", "hOST: b"]],
  ["a list", ["Host: a, b"]],
  ["a space", ["Host: a b"]],
  ["user info", ["Host: user@a"]],
  ["a path", ["Host: a/b"]],
  ["a backslash", ["Host: a\\b"]],
  ["a scheme", ["Host: http://a"]],
  ["a query", ["Host: a?b"]],
  ["a fragment", ["Host: a#b"]],
  ["a quote", ['Host: "a"']],
  ["angle brackets", ["Host: <a>"]],
  ["a port that is none", ["Host: a:b"]],
  ["a port with a sign", ["Host: a:+80"]],
  ["a comma", ["Host: a,b"]],
  ["a port above 65535", ["Host: a:65536"]],
  ["a port of six digits", ["Host: a:123456"]],
  ["two ports", ["Host: a:80:80"]],
  ["a bracket without end", ["Host: [::1"]],
  ["something behind a bracket", ["Host: [::1]a"]],
  ["a bare IPv6 address", ["Host: ::1"]],
  ["a zone", ["Host: [fe80::1%eth0]"]],
  ["8-bit bytes", ["Host: b\xfccher"]],
  ["a control character", ["Host: a\x01"]],
  ["a tab", ["Host: a\tb"]],
].map(([what, lines]) => ({ id: `Host: ${what as string}`, bytes: get(lines as string[]), expect: rejected(400) }));

const validHosts: readonly RawCase[] = [
  "h",
  "H.Example.",
  "h:1",
  "[::1]",
  "[::1]:8080",
  "127.0.0.1",
  "a-b.c",
  "xn--bcher-kva",
].map((host) => ({
  id: `Host: ${host} passes`,
  bytes: get([`Host: ${host}`]),
  expect: forwarded({ fields: { Host: [host] } }),
}));

/** Comma, semicolon and the like are legal in a reg-name; so is none at all. */
const doubtfulHosts: readonly RawCase[] = ["", "h:", "a;b", "..", ".", "a..b", "%41", "-", "h:0", "h:65535", "*"].map(
  (host) => ({
    id: `Host: ${JSON.stringify(host)}`,
    bytes: get([`Host: ${host}`]),
    expect: oneOf(
      rejected(400),
      both(
        forwarded({}),
        holds("Host as it came, or the upstream's", ({ requests, upstream }) =>
          [host, `127.0.0.1:${upstream.port}`].includes(/^Host: ?(.*)\r$/m.exec(requests[0]?.head ?? "")?.[1] ?? "-"),
        ),
      ),
    ),
  }),
);

function manyHosts(count: number): (url: string) => ProxyOptions {
  const hosts = Array.from({ length: count - 1 }, (_, index) => `host${index}.example`);
  return (url) => ({
    pools: { main: { upstreams: [url], retry: { attempts: 0 } } },
    routes: [
      { host: hosts, pool: "main", path: "/elsewhere" },
      { host: "host.example.com", pool: "main", addPrefix: "/found", path: "/case" },
      { path: "/victim", pool: "main" },
      { path: "/sentinel", pool: "main" },
    ],
  });
}

const routedHosts: readonly RawCase[] = [2, 100, 150].flatMap((count) =>
  ["host.example.com", "HOST.Example.COM", "host.example.com.", "HOST.EXAMPLE.COM.:8080", "host.example.com:1"].map(
    (host) => ({
      id: `B11 ${host} among ${count} hosts`,
      bytes: get([`Host: ${host}`]),
      options: manyHosts(count),
      expect: forwarded({ target: "/found/case", fields: { Host: [host] } }),
      packets: ["one packet"] as const,
    }),
  ),
);

const peer = "127.0.0.1";
const truth: Forwarded["fields"] = {
  "X-Forwarded-For": [peer],
  "X-Forwarded-Host": ["h"],
  "X-Forwarded-Proto": ["http"],
  "X-Forwarded-Port": ["80"],
  "X-Forwarded-Prefix": [],
  "X-Real-IP": [],
  Forwarded: [],
};

const lies = [
  "X-Forwarded-For: 6.6.6.6",
  "X-Forwarded-Host: evil",
  "X-Forwarded-Proto: https",
  "X-Forwarded-Port: 443",
  "X-Forwarded-Prefix: /evil",
  "X-Real-IP: 6.6.6.6",
  "Forwarded: for=6.6.6.6;host=evil;proto=https",
  "X-Request-Id: evil",
];

const trusting =
  (...trustedProxies: string[]) =>
  (url: string): ProxyOptions => ({ ...onePool(url), trustedProxies });

/** What an upstream may believe although the proxy says nothing of the kind itself. */
const otherLies = [
  "X-Forwarded-Ssl: on",
  "X-Forwarded-Scheme: https",
  "X-Forwarded-Server: evil",
  "X-Forwarded-User: evil",
  "Front-End-Https: on",
  "X-Original-URL: /evil",
  "X-Rewrite-URL: /evil",
];

const claims: readonly RawCase[] = [
  ...otherLies
    .flatMap((line) => [line, line.toUpperCase(), line.replaceAll("-", "_")])
    .map((line) => ({
      id: `${line} from a stranger`,
      bytes: get(["Host: h", line, "X-A: 1"]),
      expect: forwarded({ fields: { ...truth, "X-A": ["1"] }, notHead: /evil|ssl|scheme|front|original|rewrite/i }),
      packets: ["one packet"] as const,
    })),
  {
    id: "what a trusted peer claims passes",
    bytes: get(["Host: h", ...otherLies]),
    options: trusting("127.0.0.1"),
    expect: forwarded({ head: new RegExp(otherLies.join("\r\n")) }),
  },
  ...["Proxy: http://evil", "PROXY: http://evil"].map((line) => ({
    id: `${line}, whoever says it`,
    bytes: get(["Host: h", line, "X-A: 1"]),
    options: trusting("127.0.0.1"),
    expect: forwarded({ fields: { "X-A": ["1"] }, notHead: /evil/ }),
    packets: ["one packet"] as const,
  })),
];

const framingAliases: readonly RawCase[] = [
  "Content_Length: 3",
  "CONTENT.LENGTH: 3",
  "Transfer_Encoding: chunked",
  "Transfer.Encoding: chunked",
  "Proxy_Authorization: Basic eA==",
].map((line) => ({
  id: `${line} beside real framing`,
  bytes: `POST /case HTTP/1.1\r\nHost: h\r\n${line}\r\nContent-Length: 5\r\n\r\nhello`,
  expect: forwarded({
    method: "POST",
    body: "hello",
    fields: { "Content-Length": ["5"] },
    notHead: /content[._]length|transfer|authorization/i,
  }),
  packets: ["one packet"] as const,
}));

const untrusted: readonly RawCase[] = [
  ...lies.map((line) => [line, [line]] as const),
  ["all of them", lies] as const,
  [
    "all of them, twice, in other case",
    [...lies, ...lies.map((line) => line.toLowerCase()), ...lies.map((line) => line.toUpperCase())],
  ] as const,
].map(([what, lines]) => ({
  id: `C05 ${what} from a stranger`,
  bytes: get(["Host: h", ...lines]),
  expect: forwarded({ fields: truth, notHead: /evil|6\.6\.6\.6|\/EVIL/ }),
}));

const aliases: readonly RawCase[] = lies
  .flatMap((line) => {
    const [name = "", value = ""] = line.split(": ");
    return [
      name.replaceAll("-", "_"),
      name.replaceAll("-", "."),
      name.replace("-", "_"),
      name.replaceAll("-", "_").toUpperCase(),
    ]
      .filter((alias) => alias.toLowerCase() !== name.toLowerCase())
      .map((alias) => ({
        id: `C07 ${alias}`,
        bytes: get(["Host: h", `${alias}: ${value}`]),
        expect: forwarded({ fields: truth, notHead: /evil|6\.6\.6\.6/ }),
      }));
  })
  .map((rawCase) => ({ ...rawCase, packets: ["one packet"] as const }));

const otherUnderscores: RawCase = {
  id: "C07 other names with underscores pass",
  bytes: get(["Host: h", "X_Custom: 1", "a.b: 2"]),
  expect: forwarded({ fields: { X_Custom: ["1"], "a.b": ["2"] } }),
};

const trusted: readonly RawCase[] = [
  {
    id: "C06 a trusted peer's are extended",
    bytes: get([
      "Host: h",
      "X-Forwarded-For: 6.6.6.6",
      "X-Forwarded-Host: site",
      "X-Forwarded-Proto: https",
      "X-Forwarded-Port: 444",
    ]),
    options: trusting("127.0.0.1"),
    expect: both(
      forwarded({
        fields: {
          "X-Forwarded-For": ["6.6.6.6, 127.0.0.1"],
          "X-Forwarded-Host": ["site"],
          "X-Forwarded-Proto": ["https"],
          "X-Forwarded-Port": ["444"],
        },
      }),
      holds("the client is who the peer says", ({ events }) => events[0]?.client === "6.6.6.6"),
    ),
  },
  {
    id: "C06 the client is the right-most stranger",
    bytes: get(["Host: h", "X-Forwarded-For: 1.1.1.1, 6.6.6.6", "X-Forwarded-For: 10.1.2.3"]),
    options: trusting("127.0.0.0/8", "10.0.0.0/8"),
    expect: both(
      forwarded({ fields: { "X-Forwarded-For": ["1.1.1.1, 6.6.6.6, 10.1.2.3, 127.0.0.1"] } }),
      holds("6.6.6.6", ({ events }) => events[0]?.client === "6.6.6.6"),
    ),
  },
  {
    id: "C06 what is no address ends the chain",
    bytes: get(["Host: h", "X-Forwarded-For: 6.6.6.6, unknown, 10.1.2.3"]),
    options: trusting("127.0.0.0/8", "10.0.0.0/8"),
    expect: both(
      forwarded({}),
      holds("10.1.2.3", ({ events }) => events[0]?.client === "10.1.2.3"),
    ),
  },
  {
    id: "C06 a peer outside the network is a stranger",
    bytes: get(["Host: h", "X-Forwarded-For: 6.6.6.6"]),
    options: trusting("127.0.0.2", "10.0.0.0/8"),
    expect: both(
      forwarded({ fields: truth }),
      holds("the peer", ({ events }) => events[0]?.client === peer),
    ),
  },
  {
    id: "C06 a trusted peer's alias is still dropped",
    bytes: get(["Host: h", "X-Forwarded-For: 1.1.1.1", "X_Forwarded_For: 6.6.6.6"]),
    options: trusting("127.0.0.1"),
    expect: forwarded({ fields: { "X-Forwarded-For": ["1.1.1.1, 127.0.0.1"] }, notHead: /6\.6\.6\.6/ }),
  },
  {
    id: "C06 X-Forwarded-Host of a trusted peer is no way to another route",
    bytes: get(["Host: h", "X-Forwarded-Host: evil\\@x y"]),
    options: trusting("127.0.0.1"),
    expect: forwarded({ fields: { Host: ["h"] } }),
  },
];

const others: readonly RawCase[] = [
  {
    id: "the port of a bracketed Host",
    bytes: get(["Host: [::1]:8080"]),
    expect: forwarded({ fields: { "X-Forwarded-Port": ["8080"], "X-Forwarded-Host": ["[::1]:8080"] } }),
  },
  {
    id: "a bracketed Host without a port",
    bytes: get(["Host: [::1]"]),
    expect: forwarded({ fields: { "X-Forwarded-Port": ["80"] } }),
  },
  {
    id: "C08 repeated headers keep their order, case and number",
    bytes: get(["Host: h", "X-A: 1", "Cookie: a=1", "x-a: 2", "Cookie: b=2", "X-a:3"]),
    expect: forwarded({
      fields: { "X-A": ["1", "2", "3"] },
      head: /X-A: 1\r\nCookie: a=1\r\nx-a: 2\r\nCookie: b=2\r\nX-a: 3\r\n/,
    }),
  },
  ...["Authorization: a", "Content-Type: a/b", "Content-Encoding: gzip", "Referer: a", "User-Agent: a"].map((line) => ({
    id: `C08 ${line} twice`,
    bytes: get(["Host: h", line, `${line}2`]),
    expect: oneOf(rejected(400), both(forwarded({ notHead: /a, a|gzip, gzip/ }))),
  })),
  {
    id: "C14 8-bit bytes in values",
    bytes: get(["Host: h", "X-A: \x80\x85\xa0\xff\xe2\x82\xac"]),
    expect: forwarded({ fields: { "X-A": ["\x80\x85\xa0\xff\xe2\x82\xac"] } }),
  },
  {
    id: "Via is extended",
    bytes: get(["Host: h", "Via: 1.0 a", "VIA: 1.1 b"]),
    expect: forwarded({ head: /Via: 1\.0 a, 1\.1 b, 1\.1 evenkeel\r\n/ }),
  },
  {
    id: "an empty value stays",
    bytes: get(["Host: h", "X-A:", "X-B: ", "X-C: \t a \t "]),
    expect: forwarded({ fields: { "X-A": [""], "X-B": [""], "X-C": ["a"] } }),
  },
  {
    id: "names like those of an object's prototype",
    bytes: get(["Host: h", "__proto__: 1", "constructor: 2", "toString: 3", "hasOwnProperty: 4"]),
    expect: forwarded({
      fields: { __proto__: ["1"], constructor: ["2"], toString: ["3"] },
      head: /__proto__: 1\r\nconstructor: 2\r\n/,
    }),
  },
];

export const hostAndForwardedHeaders: readonly RawCase[] = [
  ...invalidHosts,
  ...validHosts,
  ...doubtfulHosts,
  ...routedHosts,
  ...untrusted,
  ...claims,
  ...framingAliases,
  ...aliases,
  otherUnderscores,
  ...trusted,
  ...others,
];
