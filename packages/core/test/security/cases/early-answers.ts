import type { Socket } from "node:net";
import type { ProxyOptions } from "../../../src/config/options.ts";
import {
  answers,
  both,
  forwarded,
  holds,
  oneOf,
  rejected,
  saidClose,
  upstreamDropped,
} from "../../support/expectations.ts";
import type { Expectation, RawCase } from "../../support/raw-case.ts";
import type { Script, SeenRequest } from "../../support/recording-upstream.ts";

const smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";

/** A body of which only a part is sent, and which looks like a request. */
const bodies: readonly (readonly [string, string])[] = [
  ["a length, all sent", `Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`],
  ["a length, nothing sent", "Content-Length: 100\r\n\r\n"],
  ["a length, a part sent", `Content-Length: ${smuggled.length + 10}\r\n\r\n${smuggled}`],
  ["a large length, a part sent", `Content-Length: 10000000\r\n\r\n${smuggled}`],
  ["chunks, all sent", `Transfer-Encoding: chunked\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`],
  ["chunks, no end", `Transfer-Encoding: chunked\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n`],
  ["chunks, nothing sent", "Transfer-Encoding: chunked\r\n\r\n"],
];

const neverSmuggled = holds("the body is no request", ({ heads }) =>
  heads.every(({ target }) => target !== "/smuggled"),
);

const nextOrEnd = holds(
  "then the next request or the end",
  ({ responses, how, followed }) => responses.length === 1 && (followed || how !== undefined),
);

/** What comes behind it is drained for a body, and may be refused when the body is over. */
const nothingMore = holds(
  "then nothing, or a refusal",
  ({ responses, followed }) => !followed && responses.slice(1).every(({ status }) => status === 400 || status === 408),
);

const limited = (url: string): ProxyOptions => ({
  pools: { main: { upstreams: [url], retry: { attempts: 0 } } },
  routes: [
    { path: "/case", pool: "main", maxBodySize: "10b" },
    { path: "/victim", pool: "main" },
    { path: "/sentinel", pool: "main" },
  ],
});

const nobody = (url: string): ProxyOptions => ({
  pools: { main: { upstreams: [url] }, nobody: { upstreams: [] } },
  routes: [
    { path: "/case", pool: "nobody" },
    { path: "/victim", pool: "main" },
    { path: "/sentinel", pool: "main" },
  ],
});

const unrouted = (url: string): ProxyOptions => ({
  pools: { main: { upstreams: [url] } },
  routes: [
    { path: "/victim", pool: "main" },
    { path: "/sentinel", pool: "main" },
  ],
});

/** A38: answers of the proxy's own. What is left of the body is drained, or the connection ends; it is never a request. */
const own: readonly RawCase[] = bodies.flatMap(([what, rest]) =>
  [
    ["413", limited, 413, ""],
    ["503", nobody, 503, ""],
    ["404", unrouted, 404, ""],
    ["400 for two Hosts", nobody, 400, "Host: b\r\n"],
    ["405", nobody, 405, "TRACE"],
  ].flatMap(([name, options, status, extra]) => {
    const method = extra === "TRACE" ? "TRACE" : "POST";
    const lines = extra === "TRACE" ? "" : (extra as string);
    return [
      {
        id: `A38 ${name as string}, ${what}`,
        bytes: `${method} /case HTTP/1.1\r\nHost: h\r\n${lines}${rest}`,
        options: options as (url: string) => ProxyOptions,
        expect: both(
          // A server that refuses what it does not know by itself has its own status for it.
          holds(`${status as number}`, ({ responses }) => [status, 400].includes(responses[0]?.status ?? 0)),
          what.endsWith("all sent") ? nextOrEnd : nothingMore,
          neverSmuggled,
          holds("no event but for what is answered", ({ events, responses }) => events.length <= responses.length),
        ),
        // Where the limit for bodies is to see one first, what is sent behind takes its place.
        answers: status === 413 && what === "chunks, nothing sent" ? 0 : 1,
        // Byte by byte, the answer comes before the body.
        packets: what.endsWith("nothing sent") ? (["one packet"] as const) : (["one packet", "line by line"] as const),
      },
    ];
  }),
);

const early = (said: string, then: (socket: Socket, request: SeenRequest) => void = () => {}): Script => ({
  onHead: (socket, request) => {
    socket.write(said, () => then(socket, request));
    return true;
  },
});

const tooLarge = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno";
const closing = "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno";
const fine = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const slow = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";

/** D14: answers of the upstream before it has had the body. */
const answersBeforeBody: readonly RawCase[] = bodies.flatMap(([what, rest]) =>
  (
    [
      ["413", early(tooLarge), 413],
      ["413 and close", early(closing), 413],
      ["413 and an end", early(closing, (socket) => socket.end()), 413],
      ["200", early(fine), 200],
      ["200 in chunks", early(slow), 200],
      ["200 and a second answer", early(`${fine}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`), 200],
    ] as const
  ).map(([name, upstream, status]) => ({
    id: `D14 ${name}, ${what}`,
    bytes: `POST /case HTTP/1.1\r\nHost: h\r\n${rest}`,
    upstream,
    expect: both(
      answers(status),
      neverSmuggled,
      holds("no surplus", ({ text }) => !text.includes("evil")),
      // Everything sent: the upstream may have had it all, and both connections are in order then.
      what.endsWith("all sent") ? () => [] : both(saidClose, upstreamDropped),
    ),
    packets: ["one packet", "line by line"] as const,
  })),
);

/** The answer comes, and the connection is cut in the same moment, with body unread. */
const answerThenReset: readonly RawCase[] = bodies
  .filter(([what]) => what.includes("sent"))
  .map(([what, rest]) => ({
    id: `D14 413 and a reset, ${what}`,
    bytes: `POST /case HTTP/1.1\r\nHost: h\r\n${rest}`,
    upstream: early(closing, (socket) => void socket.resetAndDestroy()),
    expect: both(
      holds("its answer or 502", ({ responses }) => [413, 502].includes(responses[0]?.status ?? 0)),
      neverSmuggled,
      upstreamDropped,
    ),
    packets: ["one packet", "line by line"] as const,
  }));

const expecting = (length: number, body = "") =>
  `POST /case HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n${body}`;

const notSentOn: Expectation = holds("Expect is not sent on", ({ heads }) =>
  heads.every(({ head }) => !/^expect:/im.test(head)),
);

const expectations: readonly RawCase[] = [
  ...[401, 200].map((status) => ({
    id: `C15 Expect, ${status} before the body`,
    bytes: expecting(100),
    upstream: early(`HTTP/1.1 ${status} X\r\nContent-Length: 2\r\n\r\nno`),
    expect: both(answers(status), notSentOn, saidClose, upstreamDropped),
  })),
  {
    id: "C15 Expect, the body sent at once",
    bytes: expecting(5, "hello"),
    expect: both(forwarded({ body: "hello" }), notSentOn),
  },
  {
    id: "C15 Expect in other case, body in chunks",
    bytes:
      "POST /case HTTP/1.1\r\nHost: h\r\neXPECT: 100-CONTINUE\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    expect: both(forwarded({ body: "hello" }), notSentOn),
  },
  {
    id: "C15 Expect, and the upstream says 100 as well",
    bytes: expecting(5, "hello"),
    upstream: { onRequest: (socket) => void socket.write(`HTTP/1.1 100 Continue\r\n\r\n${fine}`) },
    expect: both(
      answers(200),
      holds("100 once", ({ informational }) => informational.filter(({ status }) => status === 100).length <= 1),
    ),
  },
  {
    id: "C15 Expect without a body",
    bytes: "GET /case HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n",
    expect: both(forwarded({ body: "" }), notSentOn),
  },
  {
    id: "C15 Expect over HTTP/1.0",
    bytes: "POST /case HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
    expect: both(
      forwarded({ body: "hello" }),
      notSentOn,
      holds("no 100", ({ informational }) => informational.length === 0),
    ),
  },
  ...["something-else", "100-continue, x", ""].map((value) => ({
    id: `C15 Expect: ${JSON.stringify(value)}`,
    bytes: `POST /case HTTP/1.1\r\nHost: h\r\nExpect: ${value}\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    // The server may answer 417 by itself (RFC 9110 section 10.1.1), and then read on behind the body.
    expect: both(
      oneOf(
        rejected(400, 417),
        forwarded({ body: smuggled }),
        holds("417, kept", ({ responses }) => responses[0]?.status === 417),
      ),
      neverSmuggled,
      notSentOn,
    ),
  })),
  {
    id: "C15 a refused request is not told to go on",
    bytes: `POST /case HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 100000000\r\n\r\n`,
    options: limited,
    expect: both(
      holds("413", ({ responses }) => responses[0]?.status === 413),
      neverSmuggled,
    ),
  },
];

export const earlyAnswers: readonly RawCase[] = [...own, ...answersBeforeBody, ...answerThenReset, ...expectations];
