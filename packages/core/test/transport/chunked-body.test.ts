import { describe, expect, test } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import { feed, judge, refusal } from "../support/feed-parser.ts";

const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

describe("a chunked body", () => {
  test.each([
    ["nothing", "0\r\n\r\n", ""],
    ["one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello"],
    ["several chunks", "1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n", "abcdef"],
    [
      "hexadecimal sizes in both cases",
      `a\r\n${"x".repeat(10)}\r\nB\r\n${"y".repeat(11)}\r\n0\r\n\r\n`,
      "x".repeat(10) + "y".repeat(11),
    ],
    ["a leading zero", "05\r\nhello\r\n00\r\n\r\n", "hello"],
    ["line breaks as data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"],
    ["what looks like the end as data", "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n"],
    ["every byte", `100\r\n${allBytes()}\r\n0\r\n\r\n`, allBytes()],
  ])("of %s is read to its end", (_, text, body) => {
    const verdict = judge(head + text);
    expect(verdict).toMatchObject({ body, complete: true, trailers: [], consumed: head.length + text.length });
  });

  test("ends before any surplus bytes", () => {
    const text = "1\r\na\r\n0\r\n\r\n";
    for (const surplus of ["x", "\r\n", "0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"]) {
      expect(judge(head + text + surplus)).toMatchObject({
        body: "a",
        complete: true,
        consumed: head.length + text.length,
      });
    }
  });
});

describe("chunk sizes", () => {
  test.each([
    "0x5",
    "+5",
    "-5",
    "-0",
    "0_5",
    " 5",
    "5 ",
    "5\t",
    "\t5",
    "",
    "G",
    "5g",
    "5h",
    "5.0",
    "5,5",
    "\u00b2",
    "5\x00",
    "5\x0b",
    "5\r",
    "5\n",
    "\n5",
    "\r\n5",
    "ffffffffffffffff",
    "10000000000000005",
    "00000000000000000005",
  ])("%j is refused", (size) => {
    expect(refusal(`${head}${size}\r\nhello\r\n0\r\n\r\n`)).toBe("invalid_response");
    expect(refusal(`${head}1\r\na\r\n${size}\r\nhello\r\n0\r\n\r\n`)).toBe("invalid_response");
  });

  test("the largest that can be counted is accepted, one more digit is refused", () => {
    expect(judge(`${head}fffffffffffff\r\nhello`)).toMatchObject({ body: "hello", complete: false, code: undefined });
    expect(refusal(`${head}10000000000000\r\nhello`)).toBe("invalid_response");
  });
});

describe("line ends", () => {
  test.each([
    ["a bare LF behind a size", "5\nhello\r\n0\r\n\r\n"],
    ["a bare CR behind a size", "5\rhello\r\n0\r\n\r\n"],
    ["CR CR LF behind a size", "5\r\r\nhello\r\n0\r\n\r\n"],
    ["a bare LF behind the data", "5\r\nhello\n0\r\n\r\n"],
    ["a bare CR behind the data", "5\r\nhello\r0\r\n\r\n"],
    ["nothing behind the data", "5\r\nhello0\r\n\r\n"],
    ["more data than the size says", "5\r\nhello!\r\n0\r\n\r\n"],
    ["less data than the size says", "5\r\nhell\r\n0\r\n\r\n"],
    ["a bare LF behind the last size", "0\n\r\n"],
    ["a bare LF at the end", "0\r\n\n"],
    ["a bare CR at the end", "0\r\n\rx"],
  ])("%s is refused", (_, text) => {
    expect(refusal(head + text)).toBe("invalid_response");
  });
});

describe("extensions", () => {
  test.each([";a", ";a=b", ";a=b;c=d", ';a="b c;\t=\\"\\\\\xe4"', ';a=""', ";a;b;c", ";!#$%&'*+-.^_`|~=~"])(
    "%j is dropped",
    (extension) => {
      const text = `5${extension}\r\nhello\r\n0${extension}\r\n\r\n`;
      expect(judge(head + text)).toMatchObject({ body: "hello", complete: true, consumed: head.length + text.length });
    },
  );

  test.each([
    ";",
    "; a",
    ";a ",
    ";a= b",
    ";a =b",
    ";=b",
    ";a=",
    ";a==b",
    ";;a",
    ";a;",
    ";a,b",
    ";a=b c",
    ';a="b',
    ';a=b"',
    ';a="b"c',
    ';a="\\',
    ";a\x00",
    ";a\x7f",
    ";a=\x01",
    ';a="\x01"',
    ";a\n",
    ";a\nb",
    ";a\rb",
    ";a\r",
    ";\xe4",
    " ;a",
  ])("%j is refused", (extension) => {
    expect(refusal(`${head}5${extension}\r\nhello\r\n0\r\n\r\n`)).toBe("invalid_response");
    expect(refusal(`${head}5\r\nhello\r\n0${extension}\r\n\r\n`)).toBe("invalid_response");
  });

  test("are bounded over the whole body", () => {
    const chunkWith = (bytes: number) => `1;${"x".repeat(bytes - 1)}\r\na\r\n`;
    const within = Buffer.from(`${head}${chunkWith(1_024).repeat(limits.chunkExtensionBytes / 1_024)}0\r\n\r\n`);
    expect(feed([within])).toMatchObject({ complete: true });
    const beyond = Buffer.from(`${head}${chunkWith(1_024).repeat(limits.chunkExtensionBytes / 1_024)}0;x\r\n\r\n`);
    expect(feed([beyond])).toMatchObject({ complete: false, code: "invalid_response" });
    expect(feed([Buffer.from(`${head}1;${"x".repeat(limits.chunkExtensionBytes)}`)]).code).toBe("invalid_response");
  });
});

describe("trailers", () => {
  test("are read like fields", () => {
    const text = "1\r\na\r\n0\r\nX-A: 1\r\nx-a:\t\xe4 \r\nEmpty:\r\n\r\n";
    expect(judge(head + text)).toMatchObject({
      body: "a",
      trailers: ["X-A", "1", "x-a", "\xe4", "Empty", ""],
      complete: true,
      consumed: head.length + text.length,
    });
  });

  test.each([
    "X",
    "X : a",
    ": a",
    " X: a",
    "X: a\r\n b",
    "X: a\nY: b",
    "X: a\rb",
    "X: a\r",
    "\nX: a",
    "\rX: a",
    "X: a\x00",
    "X: \x7f",
    "X\xe4: a",
    "X(: a",
  ])("%j is refused", (line) => {
    expect(refusal(`${head}0\r\n${line}\r\n\r\n`)).toBe("invalid_response");
    expect(refusal(`${head}0\r\nA: b\r\n${line}\r\n\r\n`)).toBe("invalid_response");
  });

  test.each([
    "Content-Length: 5",
    "content-length: 05\t",
    "Transfer-Encoding: chunked",
    "TRANSFER-encoding: gzip",
    "Content-Length:",
  ])("%j is dropped: a message is framed by its head", (line) => {
    const text = `${head}2\r\nok\r\n0\r\nX: a\r\n${line}\r\nY: b\r\n\r\n`;
    expect(judge(text)).toMatchObject({
      body: "ok",
      trailers: ["X", "a", "Y", "b"],
      complete: true,
      consumed: text.length,
    });
    expect(judge(`${head}0\r\n${line}\r\n\r\n`)).toMatchObject({ trailers: [], complete: true });
  });

  test("of exactly the limit are read, one more byte is too large, at any split", () => {
    const ofSize = (bytes: number) => `${head}0\r\nX: ${"x".repeat(bytes - 3)}\r\n\r\n`;
    expect(codesOf(ofSize(limits.trailerBytes))).toEqual([undefined]);
    for (const more of [1, 2, 3, 4, 5, 60_000]) {
      expect(codesOf(ofSize(limits.trailerBytes + more))).toEqual(["response_headers_too_large"]);
    }
  });

  test("without an end are refused at the limit", () => {
    const endless = Buffer.from(`${head}0\r\n${"X: y\r\n".repeat(10_000)}`);
    expect(feed([endless]).code).toBe("response_headers_too_large");
  });

  test("are bounded in the number of fields", () => {
    const fields = (count: number) => Buffer.from(`${head}0\r\n${"X: y\r\n".repeat(count)}\r\n`);
    expect(feed([fields(limits.trailerFields)]).trailers).toHaveLength(limits.trailerFields * 2);
    expect(feed([fields(limits.trailerFields + 1)]).code).toBe("response_headers_too_large");
  });
});

/** The codes that a text is refused with when it is cut in a few places, or everywhere. */
function codesOf(text: string): (string | undefined)[] {
  const bytes = Buffer.from(text, "latin1");
  const cuts = [head.length, head.length + 3, head.length + 100, 1, 2, 3, 4, 5].map((at) =>
    at < 10 ? bytes.length - at : at,
  );
  const splits = cuts.map((cut) => [bytes.subarray(0, cut), bytes.subarray(cut)]);
  splits.push(
    [bytes],
    [...bytes].map((_, index) => bytes.subarray(index, index + 1)),
  );
  return [...new Set(splits.map((pieces) => feed(pieces).code))];
}

function allBytes(): string {
  return Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString("latin1");
}
