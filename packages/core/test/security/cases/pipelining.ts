import { limits } from "../../../src/config/defaults.ts";
import { both, forwarded, holds, oneOf, rejected } from "../../support/expectations.ts";
import type { RawCase } from "../../support/raw-case.ts";
import { saysClose } from "../../support/raw-client.ts";
import { answerTag, type Script } from "../../support/recording-upstream.ts";

const get = (target: string, ...lines: string[]) =>
  `${[`GET ${target} HTTP/1.1`, "Host: h", ...lines].join("\r\n")}\r\n\r\n`;
const post = (target: string, body: string) =>
  `POST ${target} HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const quick = ["one packet", "line by line"] as const;

/** Answers the first request of five last. */
const backwards = (line = ""): Script => {
  const waiting: (() => void)[] = [];
  return {
    onRequest: (socket, request) => {
      waiting.unshift(() => answerTag(socket, request, line));
      if (waiting.length === 5) for (const answer of waiting.splice(0)) answer();
    },
  };
};

const inOrder: readonly RawCase[] = [
  ...[2, 5, 50].map((count) => {
    const targets = Array.from({ length: count }, (_, index) => `/case/${index}`);
    return {
      id: `A30 ${count} requests at once`,
      bytes: targets.map((target) => get(target)).join(""),
      answers: count,
      // Which of them reaches the upstream first is of no importance; whose answer comes first is.
      expect: holds(
        "each its own answer, in order",
        ({ responses, requests, events, followed }) =>
          responses.map(({ body }) => body.toString()).join() === targets.join() &&
          requests.length === count &&
          events.length === count &&
          followed,
      ),
    };
  }),
  {
    id: "A30 the upstream answers backwards",
    bytes: [0, 1, 2, 3, 4].map((index) => get(`/case/${index}`)).join(""),
    answers: 5,
    upstream: backwards(),
    expect: holds(
      "in order",
      ({ responses }) =>
        responses.map(({ body }) => body.toString()).join() === "/case/0,/case/1,/case/2,/case/3,/case/4",
    ),
    packets: ["one packet"],
  },
  {
    id: "8-bit bytes in answers before their turn",
    bytes: [0, 1, 2, 3, 4].map((index) => get(`/case/${index}`)).join(""),
    answers: 5,
    upstream: backwards("X-Y: \xe4\xff\r\n"),
    expect: holds("byte for byte", ({ text }) => text.split("\r\nX-Y: \xe4\xff\r\n").length === 6),
    packets: ["one packet"],
  },
  {
    id: "A30 bodies between",
    bytes: `${post("/case/0", "hello")}${get("/case/1")}${post("/case/2", get("/smuggled"))}${get("/case/3")}`,
    answers: 4,
    expect: holds(
      "four, in order",
      ({ responses, requests }) =>
        responses.map(({ body }) => body.toString()).join() === "/case/0,/case/1,/case/2,/case/3" &&
        requests.length === 4,
    ),
  },
  {
    id: "a 100 for a request that is answered before its turn",
    bytes: [0, 1, 2, 3, 4].map((index) => get(`/case/${index}`, "Expect: 100-continue")).join(""),
    answers: 5,
    upstream: backwards(),
    // An answer without a 100 in front ends the connection where it is the proxy who says 100: node sees to that.
    expect: holds("whole, in order, up to one that says close", ({ responses, how }) => {
      const all = "/case/0,/case/1,/case/2,/case/3,/case/4";
      const got = responses.map(({ body }) => body.toString()).join();
      const last = responses.at(-1);
      return got === all || (last !== undefined && saysClose(last) && how !== undefined && all.startsWith(got));
    }),
    packets: ["one packet"],
  },
  {
    id: "A30 empty lines between",
    bytes: `${get("/case/0")}\r\n\r\n${get("/case/1")}`,
    answers: 2,
    expect: forwarded({ target: "/case/0" }, { target: "/case/1" }),
    packets: ["line by line", "byte by byte"],
  },
  {
    id: "a HEAD between",
    bytes: `HEAD /case/0 HTTP/1.1\r\nHost: h\r\n\r\n${get("/case/1")}`,
    methods: ["HEAD"],
    answers: 2,
    expect: forwarded({ method: "HEAD", target: "/case/0" }, { target: "/case/1" }),
    packets: ["line by line", "byte by byte"],
  },
];

const neverSmuggled = holds("nothing behind it is a request", ({ heads }) =>
  heads.every(({ target }) => target !== "/smuggled"),
);

/** Behind what the proxy refuses, nothing is a request. */
const behindErrors: readonly RawCase[] = [
  ["two Hosts", get("/case", "Host: b")],
  ["no Host", "GET /case HTTP/1.1\r\n\r\n"],
  ["TRACE", get("/case").replace("GET", "TRACE")],
  ["a fragment", get("/case#x")],
  ["another authority", get("http://evil/")],
  ["a coding", `${get("/case", "Transfer-Encoding: gzip, chunked").replace("GET", "POST")}0\r\n\r\n`],
  ["HTTP/1.0 with a body", `GET /case HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello`],
  ["garbage", "garbage\r\n\r\n"],
  ["too many fields", get("/case", ...Array.from({ length: 300 }, () => "X: 1"))],
].map(([what = "", bytes = ""]) => ({
  id: `a request behind ${what}`,
  bytes: `${bytes}${get("/smuggled")}`,
  expect: both(rejected(400, 405, 431, 501), neverSmuggled),
}));

/** An upgrade takes the connection out of the server's hands; that may not spoil the refusal, or be told of as a request. */
const upgradeBehindErrors: readonly RawCase[] = ["Upgrade: h2c", "Upgrade: websocket"].map((line) => ({
  id: `an upgrade behind a fragment, ${line}`,
  bytes: `${get("/case#x")}${get("/smuggled", "Connection: Upgrade", line)}`,
  expect: both(rejected(400), neverSmuggled),
  packets: ["one packet"],
}));

const behindClose: readonly RawCase[] = [
  ["Connection: close", get("/case", "Connection: close")],
  ["connection: CLOSE in a list", get("/case", "connection: keep-alive, CLOSE")],
  ["HTTP/1.0", "GET /case HTTP/1.0\r\nHost: h\r\n\r\n"],
  ["HTTP/1.0 with close", "GET /case HTTP/1.0\r\nHost: h\r\nConnection: close\r\n\r\n"],
].map(([what = "", bytes = ""]) => ({
  id: `a request behind ${what}`,
  bytes: `${bytes}${get("/smuggled")}`,
  expect: both(
    neverSmuggled,
    holds("one answer, then the end", ({ responses, how }) => responses.length === 1 && how !== undefined),
  ),
}));

/** What was accepted is answered; what follows is not mistaken for a part of it. A plain server of Node answers 400 first. */
const garbageBehind: readonly RawCase[] = [
  ["garbage", "\x16\x03\x01 garbage\r\n\r\n"],
  [
    "a contradiction",
    `${post("/smuggled", "").replace("Content-Length: 0", "Content-Length: 0\r\nTransfer-Encoding: chunked")}0\r\n\r\n`,
  ],
  ["two Hosts", get("/smuggled", "Host: b")],
  ["CONNECT", "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n"],
].map(([what = "", bytes = ""]) => ({
  id: `${what} behind a request`,
  bytes: `${get("/case")}${bytes}`,
  answers: 2,
  expect: both(
    neverSmuggled,
    holds("closed", ({ how, followed }) => how !== undefined && !followed),
    oneOf(
      holds(
        "the answer, then perhaps a refusal",
        ({ responses }) => responses[0]?.status === 200 && [undefined, 400, 405, 501].includes(responses[1]?.status),
      ),
      holds(
        "a refusal, or nothing",
        ({ responses }) => responses.length === 0 || (responses.length === 1 && responses[0]?.status === 400),
      ),
    ),
  ),
}));

/** Answers in the next turn of the event loop, and knows how many requests it has had at a time. */
const crowd = (): Script & { most(): number } => {
  let underWay = 0;
  let most = 0;
  return {
    most: () => most,
    onRequest: (socket, request) => {
      most = Math.max(most, ++underWay);
      setImmediate(() => {
        underWay--;
        answerTag(socket, request);
      });
    },
  };
};
const crowded = crowd();

const bounded: readonly RawCase[] = [
  {
    // More than Node reads, and hands on, at a time.
    id: "F06 thousands of requests at once",
    bytes: Array.from({ length: 3_000 }, (_, index) => get(`/case/${index}`)).join(""),
    answers: 3_000,
    upstream: crowded,
    expect: holds(
      "all, in order, a few at a time",
      ({ responses, requests }) =>
        responses.length === 3_000 &&
        responses.every(({ body }, index) => body.toString() === `/case/${index}`) &&
        requests.length === 3_000 &&
        crowded.most() > 1 &&
        crowded.most() <= 1 + limits.pipelinedRequests,
    ),
    packets: ["one packet"],
  },
  {
    id: "a thousand bodies at once",
    bytes: Array.from({ length: 1_000 }, (_, index) => post(`/case/${index}`, "x".repeat(100))).join(""),
    answers: 1_000,
    expect: holds(
      "all, in order",
      ({ responses }) =>
        responses.length === 1_000 && responses.every(({ body }, index) => body.toString() === `/case/${index}`),
    ),
    packets: quick.slice(0, 1),
  },
];

export const pipelining: readonly RawCase[] = [
  ...inOrder,
  ...behindErrors,
  ...upgradeBehindErrors,
  ...behindClose,
  ...garbageBehind,
  ...bounded,
];
