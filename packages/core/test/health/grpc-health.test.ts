import { describe, expect, test } from "vitest";
import { decodeHealthResponse, encodeHealthRequest } from "../../src/health/grpc-health.ts";
import { seededRandom } from "../support/seeded-random.ts";

/** A message as gRPC frames it. */
function framed(...message: readonly number[]): Buffer {
  return Buffer.from([0, 0, 0, 0, message.length, ...message]);
}

describe("a request", () => {
  test("for the server as a whole is an empty message", () => {
    expect(encodeHealthRequest("")).toEqual(framed());
  });

  test("for a service has its name as field 1", () => {
    expect(encodeHealthRequest("a.B")).toEqual(framed(0x0a, 3, 0x61, 0x2e, 0x42));
    const long = encodeHealthRequest("x".repeat(200));
    expect([...long.subarray(0, 8)]).toEqual([0, 0, 0, 0, 203, 0x0a, 0xc8, 0x01]);
    expect(long).toHaveLength(5 + 203);
  });
});

describe("a response", () => {
  test.each<[string, Buffer, string | undefined]>([
    ["SERVING", framed(0x08, 1), "SERVING"],
    ["NOT_SERVING", framed(0x08, 2), "NOT_SERVING"],
    ["SERVICE_UNKNOWN", framed(0x08, 3), "SERVICE_UNKNOWN"],
    ["without a status", framed(), "UNKNOWN"],
    ["with a status of the future", framed(0x08, 0x96, 0x01), "UNKNOWN"],
    ["with the last of several statuses", framed(0x08, 2, 0x08, 1), "SERVING"],
    ["with unknown fields of each type", framed(0x10, 5, 0x1a, 2, 8, 9, 0x25, 1, 2, 3, 4, 0x08, 1), "SERVING"],
    ["with an unknown field of 8 bytes", framed(0x29, 1, 2, 3, 4, 5, 6, 7, 8, 0x08, 1), "SERVING"],
    ["of nothing", Buffer.alloc(0), undefined],
    ["of half a frame", Buffer.from([0, 0, 0, 0, 2, 8]), undefined],
    ["of two messages", Buffer.concat([framed(0x08, 1), framed(0x08, 1)]), undefined],
    ["that is compressed", Buffer.from([1, 0, 0, 0, 2, 8, 1]), undefined],
    ["with an endless number", framed(0x08, ...Array<number>(12).fill(0xff)), undefined],
    ["with a number that is cut off", framed(0x08, 0x80), undefined],
    ["with a field longer than the message", framed(0x1a, 100, 0x08, 1), undefined],
    ["with a group", framed(0x0b, 0x08, 1), undefined],
  ])("%s", (_, bytes, status) => expect(decodeHealthResponse(bytes)).toBe(status));

  test("of random bytes never throws, and ends", () => {
    const random = seededRandom(14);
    for (let count = 0; count < 20_000; count++) {
      const message = Array.from({ length: Math.floor(random() * 20) }, () => Math.floor(random() * 256));
      decodeHealthResponse(framed(...message));
    }
  });
});
