import { describe, expect, test } from "vitest";
import { Http1Error } from "../../src/http1/http1-error.ts";
import { checkResponseHead, parseResponseHead } from "../../src/transport/http1/response-head.ts";
import { feed, judge, refusal, usualHead } from "../support/feed-parser.ts";

/** The head of a 200 with these lines, as the parser takes it: without the empty line. */
function read(lines: readonly string[], { method = "GET", status = "HTTP/1.1 200 OK" } = {}) {
  return parseResponseHead([status, ...lines].join("\r\n"), method, usualHead.fields);
}

/** A whole response of nothing but a head. */
function response(lines: readonly string[], status = "HTTP/1.1 200 OK"): string {
  return `${[status, ...lines].join("\r\n")}\r\n\r\n`;
}

describe("status lines", () => {
  test.each([
    ["HTTP/1.1 200 OK", 200, "OK"],
    ["HTTP/1.0 404 Not Found", 404, "Not Found"],
    ["HTTP/1.1 200 ", 200, ""],
    ["HTTP/1.1 200", 200, ""],
    ["HTTP/1.1 600 Own", 600, "Own"],
    ["HTTP/1.1 999 ", 999, ""],
    ["HTTP/1.1 599 \xe4\xff\ttext  with: signs", 599, "\xe4\xff\ttext  with: signs"],
  ])("%j is read", (line, status, statusText) => {
    expect(judge(response(["Content-Length: 0"], line)).head).toMatchObject({ status, statusText });
  });

  test.each([
    "HTTP/1.1 99 x",
    "HTTP/1.1 099 x",
    "HTTP/1.1 1000 x",
    "HTTP/1.1 000 x",
    "HTTP/1.1 2OO x",
    "HTTP/1.1 -20 x",
    "HTTP/1.1 200OK",
    "HTTP/1.1  200 OK",
    "HTTP/1.1\t200 OK",
    "HTTP/1.1 200\tOK",
    "HTTP/1.1 200 a\x00b",
    "HTTP/1.1 200 a\x7fb",
    "HTTP/1.1 200 a\rb",
    "HTTP/1.1 200 a\nb",
    "HTTP/1.2 200 OK",
    "HTTP/1.10 200 OK",
    "HTTP/2 200 OK",
    "HTTP/2.0 200 OK",
    "HTTP/0.9 200 OK",
    "HTTP/01.1 200 OK",
    "http/1.1 200 OK",
    "HTTP 1.1 200 OK",
    " HTTP/1.1 200 OK",
    "\r\nHTTP/1.1 200 OK",
    "HTTP/1.1",
    "200 OK",
    "SSH-2.0-OpenSSH_9.2",
    "GET / HTTP/1.1",
    "\x15\x03\x01\x00\x02\x02\x46",
    "",
  ])("%j is refused", (line) => {
    expect(refusal(response(["Content-Length: 0"], line))).toBe("invalid_response");
  });
});

describe("fields", () => {
  test("keep their names, values, order and repetition, 8-bit bytes included", () => {
    const { headers } = read([
      "X-B: 2",
      "x-a: 1",
      "X-B: 3",
      "SET-Cookie: a=b; c",
      "X-8: \x80\xa0\xff",
      "x!#$%&'*+-.^_`|~: y",
    ]);
    expect(headers).toEqual([
      ...["X-B", "2", "x-a", "1", "X-B", "3", "SET-Cookie", "a=b; c", "X-8", "\x80\xa0\xff", "x!#$%&'*+-.^_`|~", "y"],
    ]);
  });

  test("lose the white space around values and nothing else", () => {
    const { headers } = read(["a:b", "c: \t d \t e\t ", "f:", "g: \t "]);
    expect(headers).toEqual(["a", "b", "c", "d \t e", "f", "", "g", ""]);
  });

  test("may be none", () => {
    expect(judge("HTTP/1.1 200 OK\r\n\r\n").head?.headers).toEqual([]);
  });

  test.each([
    ["a space before the colon", "Content-Length : 3"],
    ["a tab before the colon", "Content-Length\t: 3"],
    ["an empty name", ": x"],
    ["no colon", "Content-Length"],
    ["a folded line", "X: a\r\n b"],
    ["a line folded with a tab", "X: a\r\n\tb"],
    ["a fold that hides a header", "X: a\r\n Content-Length: 3"],
    ["a space in front of the first line", " X: a"],
    ["a bare LF as line end", "X: a\nY: b"],
    ["a bare CR in a value", "X: a\rb"],
    ["a bare CR at the end of a value", "X: a\r"],
    ["CR CR LF", "X: a\r\r\nY: b"],
    ["a NUL in a value", "X: a\x00b"],
    ["a NUL in a name", "X\x00: a"],
    ["a control byte in a value", "X: a\x01b"],
    ["a vertical tab in a value", "X: a\x0bb"],
    ["a DEL in a value", "X: a\x7fb"],
    ["an 8-bit byte in a name", "X\xe9: a"],
    ["a no-break space in a name", "X\xa0: a"],
    ["a parenthesis in a name", "X(y): a"],
    ["a slash in a name", "X/y: a"],
    ["a quote in a name", 'X": a'],
  ])("%s is refused", (_, line) => {
    expect(refusal(response([line, "Y: z"]))).toBe("invalid_response");
    expect(refusal(response(["Y: z", line]))).toBe("invalid_response");
  });
});

describe("framing", () => {
  test.each([
    ["Content-Length: 5", "length", 5],
    ["Content-Length: 0", "length", 0],
    ["Content-Length:\t 7 ", "length", 7],
    ["content-LENGTH: 999999999999999", "length", 999_999_999_999_999],
    ["Transfer-Encoding: chunked", "chunked", -1],
    ["transfer-encoding: \tChUnKeD ", "chunked", -1],
    ["X: y", "close", -1],
    ["Content-Lengths: 5", "close", -1],
  ])("%j is %s", (line, framing, length) => {
    expect(read([line])).toMatchObject({ framing, length });
  });

  test.each(["HEAD", "GET", "POST"])("1xx, 204, 304 and responses to HEAD have no body, after %s", (method) => {
    for (const status of [100, 103, 199, 204, 304, ...(method === "HEAD" ? [200, 206, 404, 500] : [])]) {
      for (const line of ["Content-Length: 5", "Transfer-Encoding: chunked", "X: y"]) {
        const head = read([line], { method, status: `HTTP/1.1 ${status} x` });
        expect(head, `${status} ${line}`).toMatchObject({ framing: "none", length: 0 });
      }
    }
  });

  test.each([
    "+5",
    "-5",
    "-0",
    "05",
    "00",
    "0x5",
    "5.0",
    "5e0",
    "1_0",
    "5 5",
    "5, 5",
    "5,5",
    "5;",
    "",
    "five",
    "٥",
    "\xb2",
  ])("a Content-Length of %j is refused", (value) => {
    expect(refusal(response([`Content-Length: ${Buffer.from(value).toString("latin1")}`]))).toBe("invalid_response");
  });

  test.each(["9007199254740993", "9999999999999999", "18446744073709551616", "1".repeat(400)])(
    "a Content-Length of %s is refused, since it cannot be counted",
    (value) => expect(refusal(response([`Content-Length: ${value}`]))).toBe("invalid_response"),
  );

  test.each([
    [["Content-Length: 5", "Content-Length: 5"]],
    [["Content-Length: 5", "Content-Length: 6"]],
    [["Content-Length: 5", "X: y", "content-length: 5"]],
    [["Content-Length: 5", "Transfer-Encoding: chunked"]],
    [["Transfer-Encoding: chunked", "Content-Length: 5"]],
    [["Transfer-Encoding: chunked", "Content-Length: 0"]],
    [["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]],
    [["Transfer-Encoding: chunked", "transfer-encoding: identity"]],
    [["Transfer-Encoding: gzip"]],
    [["Transfer-Encoding: gzip, chunked"]],
    [["Transfer-Encoding: chunked, gzip"]],
    [["Transfer-Encoding: chunked, chunked"]],
    [["Transfer-Encoding: chunked;q=1"]],
    [["Transfer-Encoding: chunked,"]],
    [["Transfer-Encoding: \x0bchunked"]],
    [["Transfer-Encoding: \xa0chunked"]],
    [["Transfer-Encoding: xchunked"]],
    [["Transfer-Encoding: identity"]],
    [["Transfer-Encoding:"]],
  ])("%j is refused, whatever the status and the method", (lines) => {
    for (const status of ["200 OK", "204 None", "304 Same", "103 Early Hints"]) {
      expect(refusal(response(lines, `HTTP/1.1 ${status}`))).toBe("invalid_response");
    }
    expect(refusal(response(lines), { method: "HEAD" })).toBe("invalid_response");
  });

  test.each([
    "Content-Length: 5\t",
    "Content-Length: 5\t ",
    "transfer-encoding: chunked\t",
    "Transfer-Encoding: chunked \t ",
  ])("%j is refused: other parsers do not take the tab for white space, and read another length", (line) =>
    expect(refusal(response([line]))).toBe("invalid_response"),
  );

  test("a transfer coding in HTTP/1.0 is refused", () => {
    expect(refusal(response(["Transfer-Encoding: chunked"], "HTTP/1.0 200 OK"))).toBe("invalid_response");
    const kept = ["Connection: keep-alive", "Transfer-Encoding: chunked"];
    expect(refusal(response(kept, "HTTP/1.0 200 OK"))).toBe("invalid_response");
  });
});

describe("persistence of the connection", () => {
  const length = "Content-Length: 0";
  test.each([
    ["HTTP/1.1 200 OK", [length], true],
    ["HTTP/1.1 200 OK", [length, "Connection: close"], false],
    ["HTTP/1.1 200 OK", [length, "connection: Keep-Alive , CLOSE"], false],
    ["HTTP/1.1 200 OK", [length, "Connection: keep-alive", "Connection: close"], false],
    ["HTTP/1.1 200 OK", [length, "Connection: x-close"], true],
    ["HTTP/1.1 200 OK", [length, "Connection:"], true],
    ["HTTP/1.1 200 OK", ["Transfer-Encoding: chunked"], true],
    ["HTTP/1.1 200 OK", ["X: y"], false],
    ["HTTP/1.0 200 OK", [length], false],
    ["HTTP/1.0 200 OK", [length, "Connection: keep-alive"], true],
    ["HTTP/1.0 200 OK", [length, "Connection: Keep-Alive"], true],
    ["HTTP/1.0 200 OK", [length, "Connection: keep-alive, close"], false],
    ["HTTP/1.0 200 OK", ["Connection: keep-alive"], false],
  ])("%s with %j: is it reusable? %s", (status, lines, keepAlive) => {
    expect(read(lines, { status }).keepAlive).toBe(keepAlive);
  });

  test.each([
    ["timeout=5", 5_000],
    ["timeout=5, max=100", 5_000],
    ["max=100, Timeout=7", 7_000],
    ["timeout=0", 0],
    ["timeout", Infinity],
    ["timeout=", Infinity],
    ["timeout=-1", Infinity],
    ["xtimeout=5", Infinity],
    ["", Infinity],
  ])("Keep-Alive: %s is a hint", (value, keepAliveMs) => {
    expect(read([length, `Keep-Alive: ${value}`]).keepAliveMs).toBe(keepAliveMs);
  });
});

describe("limits", () => {
  const fixed = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: ";

  /** A response whose head, without its empty line, has so many bytes. */
  const ofSize = (bytes: number) => `${fixed}${"x".repeat(bytes - fixed.length)}\r\n\r\n`;

  /** Around the limit only a few splits matter, and all of them would be 16,000. */
  function codesAround(text: string): (string | undefined)[] {
    const bytes = Buffer.from(text, "latin1");
    const cuts = [1, 100, ...[0, 1, 2, 3, 4, 5].map((back) => bytes.length - back)];
    const splits = cuts.map((cut) => [bytes.subarray(0, cut), bytes.subarray(cut)].filter(({ length }) => length > 0));
    splits.push([...bytes].map((_, index) => bytes.subarray(index, index + 1)));
    return [...new Set(splits.map((pieces) => feedCode(pieces)))];
  }

  test("a head of exactly the limit is read, one more byte is too large, at any split", () => {
    expect(codesAround(ofSize(usualHead.bytes))).toEqual([undefined]);
    for (const more of [1, 2, 3, 4, 5, 1_000, 60_000]) {
      expect(codesAround(ofSize(usualHead.bytes + more))).toEqual(["response_headers_too_large"]);
    }
  });

  test("a head that never ends is refused at the limit", () => {
    const endless = Buffer.from(fixed + "x".repeat(20_000));
    expect(feedCode([endless])).toBe("response_headers_too_large");
    expect(feedCode([endless.subarray(0, usualHead.bytes)])).toBeUndefined();
  });

  test("bytes that are no HTTP are refused at the first of them", () => {
    expect(feedCode([Buffer.alloc(65_536, "x")])).toBe("invalid_response");
    expect(feedCode([Buffer.from("x")])).toBe("invalid_response");
  });

  test("the number of fields is bounded", () => {
    const fields = (count: number) => response(["Content-Length: 0", ...new Array<string>(count - 1).fill("X: y")]);
    expect(judge(fields(usualHead.fields)).head?.headers).toHaveLength(usualHead.fields * 2);
    expect(refusal(fields(usualHead.fields + 1))).toBe("response_headers_too_large");
  });
});

describe("a head that another parser has read is held to the same rules", () => {
  const verdictOf = (read: () => object) => {
    try {
      return read();
    } catch (error) {
      if (error instanceof Http1Error) return error.fault;
      throw error;
    }
  };

  /** As Node's parser hands it over: values without the white space around them. */
  const check = ([version, status, statusMessage]: readonly [string, number, string], fields: readonly string[]) =>
    verdictOf(() => {
      const rawHeaders = fields.flatMap((line) => [
        line.slice(0, line.indexOf(":")),
        line.slice(line.indexOf(":") + 2),
      ]);
      return checkResponseHead({ httpVersion: version, statusCode: status, statusMessage, rawHeaders }, "GET", 3);
    });

  test.each<readonly [readonly [string, number, string], readonly string[]]>([
    [["1.1", 200, "OK"], []],
    [
      ["1.1", 403, "No \xe4"],
      ["Content-Length: 5", "X-A: \xff"],
    ],
    [
      ["1.0", 401, ""],
      ["Connection: keep-alive", "Content-Length: 5"],
    ],
    [
      ["1.1", 500, "x"],
      ["Transfer-Encoding: chunked", "Keep-Alive: timeout=7"],
    ],
    [
      ["1.1", 204, "x"],
      ["Content-Length: 5", "Connection: close"],
    ],
    [["1.1", 304, "x"], ["content-type: text/event-stream"]],
    [["1.1", 99, "x"], []],
    [["1.1", 1_000, "x"], []],
    [["1.2", 200, "x"], []],
    [["2.0", 200, "x"], []],
    [["0.9", 200, "x"], []],
    [["1.1", 200, "a\x01b"], []],
    [["1.1", 200, "a\rb"], []],
    [["1.1", 200, "OK"], ["X A: b"]],
    [["1.1", 200, "OK"], [": b"]],
    [["1.1", 200, "OK"], ["X\xe4: b"]],
    [["1.1", 200, "OK"], ["X: a\x00b"]],
    [["1.1", 200, "OK"], ["X: a\nb"]],
    [
      ["1.1", 200, "OK"],
      ["Content-Length: 5", "content-length: 5"],
    ],
    [["1.1", 200, "OK"], ["Content-Length: 05"]],
    [
      ["1.1", 200, "OK"],
      ["Content-Length: 5", "Transfer-Encoding: chunked"],
    ],
    [["1.1", 200, "OK"], ["Transfer-Encoding: gzip, chunked"]],
    [["1.0", 200, "OK"], ["Transfer-Encoding: chunked"]],
    [
      ["1.1", 200, "OK"],
      ["A: 1", "B: 2", "C: 3"],
    ],
    [
      ["1.1", 200, "OK"],
      ["A: 1", "B: 2", "C: 3", "D: 4"],
    ],
  ])("%j %j", (statusLine, fields) => {
    const text = [`HTTP/${statusLine[0]} ${statusLine[1]} ${statusLine[2]}`, ...fields].join("\r\n");
    expect(check(statusLine, fields)).toEqual(verdictOf(() => parseResponseHead(text, "GET", 3)));
  });
});

function feedCode(pieces: readonly Buffer[]): string | undefined {
  return feed(pieces).code;
}
