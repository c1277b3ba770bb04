import { describe, expect, test } from "vitest";
import { ChunkedDecoder, type ChunkedLimits } from "../../src/http1/chunked-decoder.ts";
import { chunkHead, lastChunk } from "../../src/http1/chunked-encoder.ts";
import { Http1Error, type Http1Fault } from "../../src/http1/http1-error.ts";

const limits: ChunkedLimits = { extensionBytes: 8, trailerBytes: 20, trailerFields: 2 };

/** Decodes a text in pieces of `size` bytes. */
function decode(text: string, size: number) {
  const decoder = new ChunkedDecoder(limits);
  let body = "";
  let consumed = 0;
  let fault: Http1Fault | undefined;
  try {
    for (let start = 0; start < text.length && !decoder.done; start += size) {
      const piece = Buffer.from(text.slice(start, start + size), "latin1");
      consumed += decoder.execute(piece, 0, (data) => {
        body += data.toString("latin1");
      });
    }
  } catch (error) {
    if (!(error instanceof Http1Error)) throw error;
    fault = error.fault;
  }
  const { done, trailers } = decoder;
  return { body, consumed, done, fault, trailers };
}

/** The result, which is the same for pieces of every size. */
function decodeInPieces(text: string) {
  const whole = decode(text, text.length);
  for (let size = 1; size < text.length; size++) {
    const { done, fault, trailers, body } = decode(text, size);
    expect({ done, fault, trailers }, `pieces of ${size}`).toEqual({
      done: whole.done,
      fault: whole.fault,
      trailers: whole.trailers,
    });
    if (fault === undefined) expect(body).toBe(whole.body);
  }
  return whole;
}

test("what the encoder writes is decoded", () => {
  const chunks = ["a", "\r\n0\r\n\r\n", "x".repeat(300)];
  const text = chunks.map((chunk) => `${chunkHead(chunk.length)}${chunk}\r\n`).join("") + lastChunk;
  const body = chunks.join("");
  expect(decodeInPieces(text)).toEqual({ body, consumed: text.length, done: true, fault: undefined, trailers: [] });
});

test("decoding starts at a position and stops behind the body", () => {
  const decoder = new ChunkedDecoder(limits);
  const end = decoder.execute(Buffer.from("head1\r\na\r\n0\r\n\r\nnext"), 4, () => {});
  expect([end, decoder.done]).toEqual([15, true]);
});

describe("the limits are those that are passed in", () => {
  test.each<[string, string, Http1Fault | undefined]>([
    ["extensions of exactly the limit", "1;abc\r\na\r\n0;def\r\n\r\n", undefined],
    ["extensions beyond it, over the whole body", "1;abc\r\na\r\n0;defg\r\n\r\n", "malformed"],
    ["trailers of exactly the limit", "0\r\nA: 7890\r\nB: 45678901\r\n\r\n", undefined],
    ["trailers beyond it", "0\r\nA: 7890\r\nB: 456789012\r\n\r\n", "too-large"],
    ["as many trailers as the limit", "0\r\nA: b\r\nC: d\r\n\r\n", undefined],
    ["more trailers", "0\r\nA:\r\nB:\r\nC:\r\n\r\n", "too-large"],
    ["a malformed trailer", "0\r\nA\r\n\r\n", "malformed"],
  ])("%s", (_, text, fault) => {
    const result = decodeInPieces(text);
    expect(result.fault).toBe(fault);
    expect(result.done).toBe(fault === undefined);
  });
});
