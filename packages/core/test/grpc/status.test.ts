import { describe, expect, test } from "vitest";
import { type ErrorCode, errorKind } from "../../src/errors.ts";
import { encodeGrpcMessage, formatGrpcTimeout, isGrpcType, parseGrpcTimeout } from "../../src/grpc/protocol.ts";
import { grpcStatusNames, grpcStatusOfError, httpStatusOf, parseGrpcStatus } from "../../src/grpc/status.ts";

describe("grpc-status", () => {
  test.each([
    ["0", 0],
    ["14", 14],
    ["16", 16],
    ["17", 2],
    ["99", 2],
    ["-1", 2],
    ["", 2],
    ["1e1", 2],
    ["0, 14", 2],
    ["OK", 2],
  ])("%j is the code %i", (text, code) => {
    expect(parseGrpcStatus(text)).toBe(code);
  });

  test("counts as a failure of the server when it stands for a 5xx, as in linkerd", () => {
    const failures = grpcStatusNames.filter((_, code) => httpStatusOf(code) >= 500);
    expect(failures).toEqual(["UNKNOWN", "DEADLINE_EXCEEDED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"]);
    expect(grpcStatusNames.map((_, code) => httpStatusOf(code)).every((status) => status >= 200)).toBe(true);
    expect(httpStatusOf(0)).toBe(200);
  });
});

describe("the status of an error", () => {
  test.each<[ErrorCode, string]>([
    ["no_route", "UNIMPLEMENTED"],
    ["bad_request", "INTERNAL"],
    ["body_too_large", "RESOURCE_EXHAUSTED"],
    ["headers_too_large", "RESOURCE_EXHAUSTED"],
    ["client_aborted", "CANCELLED"],
    ["none_available", "UNAVAILABLE"],
    ["queue_full", "UNAVAILABLE"],
    ["connect_refused", "UNAVAILABLE"],
    ["connect_timeout", "UNAVAILABLE"],
    ["reset", "UNAVAILABLE"],
    ["headers_timeout", "DEADLINE_EXCEEDED"],
    ["total_timeout", "DEADLINE_EXCEEDED"],
    ["request_hook_failed", "INTERNAL"],
    ["method_not_allowed", "UNKNOWN"],
  ])("%s is %s", (code, name) => {
    expect(grpcStatusNames[grpcStatusOfError(code)]).toBe(name);
    expect(errorKind(code).status).toBeGreaterThanOrEqual(400);
  });
});

describe("a content type", () => {
  test.each([
    "application/grpc",
    "application/grpc+proto",
    "application/grpc+vnd.a-b.c",
    "application/grpc; charset=x",
    "Application/GRPC ;a",
  ])("%s is gRPC", (type) => expect(isGrpcType(type)).toBe(true));

  test.each([
    "application/grpc-web",
    "application/grpc-web+proto",
    "application/grpcx",
    "application/connect+proto",
    "application/proto",
    "x application/grpc",
    "",
  ])("%s is not", (type) => expect(isGrpcType(type)).toBe(false));
});

describe("grpc-timeout", () => {
  test.each([
    ["1H", 3_600_000],
    ["2M", 120_000],
    ["3S", 3_000],
    ["250m", 250],
    ["1500u", 1.5],
    ["1000000n", 1],
    ["0m", 0],
    ["24H", 86_400_000],
    // Longer than any timer may be.
    ["25H", undefined],
    ["99999999H", undefined],
    ["123456789m", undefined],
    ["1", undefined],
    ["m", undefined],
    ["-1S", undefined],
    ["1.5S", undefined],
    ["1 S", undefined],
    ["1S, 2S", undefined],
    [undefined, undefined],
  ])("%j is %s ms", (text, ms) => {
    if (ms === undefined) expect(parseGrpcTimeout(text)).toBeUndefined();
    else expect(parseGrpcTimeout(text)).toBeCloseTo(ms);
  });

  test("is written with at most 8 digits, and never as none", () => {
    expect([0, 0.2, 1.5, 86_400_000].map(formatGrpcTimeout)).toEqual(["1m", "1m", "2m", "86400000m"]);
  });
});

test("a message is printable ASCII", () => {
  expect(encodeGrpcMessage("100% größer\r\nx: 😀")).toBe("100%25 gr%C3%B6%C3%9Fer%0D%0Ax: %F0%9F%98%80");
});
