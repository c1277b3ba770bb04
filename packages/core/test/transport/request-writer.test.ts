import { describe, expect, test } from "vitest";
import { chunkHead, lastChunk } from "../../src/http1/chunked-encoder.ts";
import { writeRequestHead } from "../../src/transport/http1/request-writer.ts";
import type { RequestHead } from "../../src/transport/transport.ts";
import { TransportError } from "../../src/transport/transport-error.ts";

function write(head: Partial<RequestHead>): string {
  return writeRequestHead({
    method: "GET",
    path: "/",
    headers: ["Host", "a"],
    bodyLength: 0,
    headersTimeoutMs: 0,
    freshConnection: false,
    ...head,
  });
}

function refusal(head: Partial<RequestHead>): string {
  try {
    return `written: ${write(head)}`;
  } catch (error) {
    return error instanceof TransportError ? error.code : String(error);
  }
}

describe("a request's head", () => {
  test("keeps names, values, order and repetition, 8-bit bytes included", () => {
    const headers = ["hOsT", "a:80", "X-A", "1", "x-a", "", "X-A", "\t2 ", "X-8", "\x80\xff"];
    expect(write({ path: "//a/../%zz?q#", headers })).toBe(
      "GET //a/../%zz?q# HTTP/1.1\r\nhOsT: a:80\r\nX-A: 1\r\nx-a: \r\nX-A: \t2 \r\nX-8: \x80\xff\r\n\r\n",
    );
  });

  test.each([
    ["GET", 0, ""],
    ["DELETE", 0, ""],
    ["POST", 0, "Content-Length: 0\r\n"],
    ["PUT", 0, "Content-Length: 0\r\n"],
    ["PATCH", 0, "Content-Length: 0\r\n"],
    ["GET", 5, "Content-Length: 5\r\n"],
    ["DELETE", 5, "Content-Length: 5\r\n"],
    ["POST", 123_456_789_012, "Content-Length: 123456789012\r\n"],
    ["GET", -1, "Transfer-Encoding: chunked\r\n"],
    ["POST", -1, "Transfer-Encoding: chunked\r\n"],
  ])("of a %s with a body of %i is framed by %j", (method, bodyLength, framing) => {
    expect(write({ method, bodyLength })).toBe(`${method} / HTTP/1.1\r\nHost: a\r\n${framing}\r\n`);
  });

  test("with TE lists it in Connection", () => {
    expect(write({ headers: ["Host", "a", "TE", "trailers", "X-A", "1"] })).toBe(
      "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nX-A: 1\r\nConnection: TE\r\n\r\n",
    );
  });

  test("is written for every method that is a token", () => {
    expect(write({ method: "M-SEARCH!#" })).toMatch(/^M-SEARCH!# \/ HTTP\/1\.1\r\n/);
  });

  test.each(["", "G T", "GET\r\n", "GET\n", "G\x00T", "GET /x", "G(T", "G\xe4T"])(
    "is not written for the method %j",
    (method) => expect(refusal({ method })).toBe("internal"),
  );

  test.each(["", "/a b", "/\r\nX: y", "/\n", "/\r", "/\x00", "/\x7f", "/\t", "/\xe4", "/\u010d", "/\u{1f600}"])(
    "is not written for the path %j",
    (path) => expect(refusal({ path })).toBe("internal"),
  );

  test.each(["", "X Y", "X:", "X\r\nY", "X\n", "X\x00", "X\t", " X", "X\xe4", "X\u010d"])(
    "is not written for a header named %j",
    (name) => {
      expect(refusal({ headers: ["Host", "a", name, "b"] })).toBe("internal");
      // Names are remembered; a name once refused stays refused.
      expect(refusal({ headers: ["Host", "a", name, "b"] })).toBe("internal");
    },
  );

  test.each([
    "a\r\nY: z",
    "a\n",
    "a\r",
    "\x00",
    "a\x01",
    "\x1f",
    "\x7f",
    "\u010d",
    "\u{1f600}",
    "a\r\n\r\nGET / HTTP/1.1",
  ])("is not written for the value %j", (value) =>
    expect(refusal({ headers: ["Host", "a", "X", value] })).toBe("internal"),
  );

  test.each(["Content-Length", "content-length", "Transfer-Encoding", "TRANSFER-ENCODING"])(
    "is not written with a %s: the writer frames the message",
    (name) => {
      for (const bodyLength of [0, 5, -1]) {
        expect(refusal({ headers: ["Host", "a", name, "5"], bodyLength })).toBe("internal");
      }
    },
  );

  test.each([-2, 0.5, Number.NaN, Infinity, 2 ** 53])("is not written for a body of %d bytes", (bodyLength) =>
    expect(refusal({ bodyLength })).toBe("internal"),
  );

  test("is still checked after many names", () => {
    for (let index = 0; index < 5_000; index++) write({ headers: [`x-${index}`, "y"] });
    expect(refusal({ headers: ["x-new\r\nX", "y"] })).toBe("internal");
    expect(write({ headers: ["x-4999", "y"] })).toContain("x-4999: y\r\n");
  });
});

test("chunks have their size in hexadecimal in front, and an empty one at the end", () => {
  expect([1, 15, 16, 65_536].map(chunkHead)).toEqual(["1\r\n", "f\r\n", "10\r\n", "10000\r\n"]);
  expect(lastChunk).toBe("0\r\n\r\n");
});
