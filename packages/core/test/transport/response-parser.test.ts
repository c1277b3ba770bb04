import { describe, expect, test } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import { ResponseParser } from "../../src/transport/http1/response-parser.ts";
import { type FeedOptions, judge, refusal, usualHead } from "../support/feed-parser.ts";

const framings: [name: string, head: string, body: string, options?: FeedOptions][] = [
  ["none in a 204", "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", ""],
  ["none in a 304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", ""],
  ["none after a HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "", { method: "HEAD" }],
  ["none after a HEAD with chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "", { method: "HEAD" }],
  ["a length of nothing", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""],
  ["a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hello"],
  ["chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"],
  ["chunks and trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "5\r\nhello\r\n0\r\nX: y\r\n\r\n"],
  ["HTTP/1.0 and a length", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", "hello"],
  [
    "informational responses first",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    "hello",
  ],
];

describe.each(framings)("a response with %s", (_, head, body, options = {}) => {
  const text = head + body;

  test("is complete with its last byte", () => {
    expect(judge(text, options)).toMatchObject({ complete: true, consumed: text.length, code: undefined });
  });

  test("consumes no surplus byte", () => {
    for (const surplus of ["x", "\r\n", "\n", "\0", "hello", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"]) {
      const verdict = judge(text + surplus, options);
      expect(verdict).toMatchObject({ complete: true, consumed: text.length, code: undefined });
      expect(verdict.body).toBe(judge(text, options).body);
    }
  });

  test("is never complete without its last byte, wherever the upstream ends", () => {
    for (let length = 0; length < text.length; length++) {
      const silent = judge(text.slice(0, length), options);
      expect(silent).toMatchObject({ complete: false, consumed: length, code: undefined });
      const ended = judge(text.slice(0, length), { ...options, end: true });
      expect(ended).toMatchObject({ complete: false, code: length < head.length ? "reset" : "response_truncated" });
    }
  });
});

describe("a response that lasts until the upstream ends", () => {
  const head = "HTTP/1.1 200 OK\r\nX: y\r\n\r\n";

  test.each(["", "a", "hello", "HTTP/1.1 200 OK\r\n\r\n", "0\r\n\r\n"])("has the body %j", (body) => {
    expect(judge(head + body)).toMatchObject({ body, complete: false });
    expect(judge(head + body, { end: true })).toMatchObject({ body, complete: true, consumed: (head + body).length });
  });

  test("does not begin before its head is complete", () => {
    for (let length = 0; length < head.length; length++) {
      expect(judge(head.slice(0, length), { end: true })).toMatchObject({ complete: false, code: "reset" });
    }
  });
});

describe("informational responses", () => {
  const final = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";

  test("are passed on, but not a 100, and have no body", () => {
    const text = [
      "HTTP/1.1 100 Continue\r\nX: y\r\n\r\n",
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nlink: </b>\r\nContent-Length: 5\r\n\r\n",
      "HTTP/1.1 102 Processing\r\n\r\n",
      "HTTP/1.1 100\r\n\r\n",
    ].join("");
    expect(judge(text + final)).toMatchObject({
      informations: [
        [103, ["Link", "</a>", "link", "</b>", "Content-Length", "5"]],
        [102, []],
      ],
      head: { status: 200 },
      body: "a",
      complete: true,
    });
  });

  test("cannot have a body", () => {
    expect(refusal(`HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nhello${final}`)).toBe("invalid_response");
    expect(refusal(`HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${final}`)).toBe(
      "invalid_response",
    );
  });

  test("with Connection: close are passed on: the final response follows, and then the connection is closed", () => {
    for (const informational of ["103 Early Hints", "102 x", "100 Continue"]) {
      const verdict = judge(`HTTP/1.1 ${informational}\r\nConnection: close\r\n\r\n${final}`);
      expect(verdict).toMatchObject({ complete: true, head: { keepAlive: false } });
    }
    expect(judge(`HTTP/1.1 103 x\r\n\r\n${final}`).head).toMatchObject({ keepAlive: true });
  });

  test("of HTTP/1.0 are refused", () => {
    expect(refusal(`HTTP/1.0 103 Early Hints\r\n\r\n${final}`)).toBe("invalid_response");
    expect(judge(`HTTP/1.1 103 Early Hints\r\nConnection: keep-alive\r\n\r\n${final}`).complete).toBe(true);
  });

  test("are bounded in number", () => {
    const interim = (count: number) => "HTTP/1.1 102 x\r\n\r\n".repeat(count);
    expect(judge(interim(limits.informationalResponses) + final)).toMatchObject({ complete: true });
    expect(refusal(interim(limits.informationalResponses + 1) + final)).toBe("invalid_response");
    expect(refusal("HTTP/1.1 100 x\r\n\r\n".repeat(limits.informationalResponses + 1) + final)).toBe(
      "invalid_response",
    );
  });

  test("of 101 are refused without an upgrade", () => {
    const lines = "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    expect(refusal(`HTTP/1.1 101 Switching Protocols\r\n${lines}`)).toBe("invalid_response");
    expect(refusal(`HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n${lines}`)).toBe(
      "invalid_response",
    );
  });
});

describe("a parser", () => {
  test("consumes nothing while no response is expected", () => {
    const parser = silentParser();
    expect(parser.idle).toBe(true);
    expect(parser.execute(Buffer.from("HTTP/1.1 200 OK\r\n\r\n"))).toBe(0);
    parser.finish();
  });

  test("reads one response after another, each for the method of its request", () => {
    const parser = silentParser();
    const informational = "HTTP/1.1 102 x\r\n\r\n".repeat(limits.informationalResponses);
    const responses = [
      ["HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"],
      ["GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
      ["GET", `${informational}HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\na\r\n0\r\nX: y\r\n\r\n`],
      ["GET", `${informational}HTTP/1.1 204 OK\r\n\r\n`],
      ["GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"],
    ] as const;
    for (const [method, text] of responses) {
      parser.expect(method);
      expect(parser.idle).toBe(false);
      for (const byte of Buffer.from(text)) expect(parser.execute(Buffer.of(byte))).toBe(1);
      expect(parser.idle).toBe(true);
    }
  });

  test("does not keep the bytes: their memory is reused", () => {
    const heads: (readonly string[])[] = [];
    const parser = new ResponseParser(
      {
        onInformation: () => {},
        onHead: ({ headers }) => heads.push(headers),
        onData: () => {},
        onComplete: () => {},
      },
      usualHead,
    );
    parser.expect("GET");
    const piece = Buffer.from("HTTP/1.1 200 OK\r\nX: y");
    parser.execute(piece);
    piece.fill("!");
    parser.execute(Buffer.from("\r\nContent-Length: 0\r\n\r\n"));
    expect(heads).toEqual([["X", "y", "Content-Length", "0"]]);
  });
});

function silentParser(): ResponseParser {
  return new ResponseParser(
    { onInformation: () => {}, onHead: () => {}, onData: () => {}, onComplete: () => {} },
    usualHead,
  );
}
