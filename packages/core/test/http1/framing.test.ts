import { describe, expect, test } from "vitest";
import { bodyLength } from "../../src/http1/framing.ts";
import { Http1Error } from "../../src/http1/http1-error.ts";

/** The fault that the framing of a message is refused with. */
function faultOf(length: string | undefined, coding: string | undefined, isHttp10 = false): string | undefined {
  try {
    bodyLength(length, coding, isHttp10);
    return undefined;
  } catch (error) {
    return error instanceof Http1Error ? error.fault : String(error);
  }
}

describe("the length of a body", () => {
  test("comes from Content-Length, or is unknown for chunks, or undefined", () => {
    expect(bodyLength("0", undefined, false)).toBe(0);
    expect(bodyLength("999999999999999", undefined, true)).toBe(999_999_999_999_999);
    expect(bodyLength(undefined, "Chunked", false)).toBe(-1);
    expect(bodyLength(undefined, undefined, true)).toBeUndefined();
  });

  test.each(["", "+1", "-1", "01", "1e3", "0x1", "1, 1", "1000000000000000"])("%j is malformed", (length) => {
    expect(faultOf(length, undefined)).toBe("malformed");
  });

  test("is malformed beside a transfer coding, whatever the coding is, and with a coding in HTTP/1.0", () => {
    expect(faultOf("1", "chunked")).toBe("malformed");
    expect(faultOf("1", "gzip")).toBe("malformed");
    expect(faultOf(undefined, "chunked", true)).toBe("malformed");
  });

  test.each(["gzip", "gzip, chunked", "chunked, chunked", "identity", ""])(
    "a coding of %j is unsupported: each side decides what that means",
    (coding) => expect(faultOf(undefined, coding)).toBe("unsupported"),
  );
});
