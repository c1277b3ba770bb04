import { describe, expect, test } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import { type ErrorCode, errorKind } from "../../src/errors.ts";
import { type ErrorResponseInput, errorResponse, isSettled } from "../../src/forward/error-response.ts";
import { fieldsOf } from "../contract/client-exchange-harness.ts";

function respond(input: Partial<ErrorResponseInput> = {}) {
  const response = errorResponse({
    code: "connect_refused",
    detail: undefined,
    requestId: "r-1",
    accept: undefined,
    setCookie: undefined,
    grpc: false,
    close: false,
    ...input,
  });
  const body = Buffer.from(response.body ?? "").toString();
  return { ...response, body, field: (name: string) => fieldsOf(response.headers, name) };
}

const codes: readonly ErrorCode[] = ["connect_refused", "none_available", "bad_request", "total_timeout", "internal"];

describe("a locally generated response", () => {
  test.each(codes)("to %s has the status and the token of the error table", (code) => {
    const { status, token } = errorKind(code);
    const response = respond({ code });
    expect(response.status).toBe(status);
    expect(response.field("proxy-status")).toEqual([`evenkeel; error=${token}; details="${code}"`]);
    expect(response.body).toContain(code);
    expect(response.field("content-length")).toEqual([String(Buffer.byteLength(response.body))]);
    expect([response.field("x-request-id"), response.field("cache-control")]).toEqual([["r-1"], ["no-store"]]);
  });

  test("has a detail that the client may read, with its length in bytes", () => {
    const { body, field } = respond({ detail: "größer" });
    expect(body).toBe("502 Bad Gateway (connect_refused): größer\n");
    expect(field("content-length")).toEqual([String(Buffer.byteLength(body))]);
  });

  test.each([
    [undefined, "text/plain; charset=utf-8"],
    ["*/*", "text/plain; charset=utf-8"],
    ["application/json", "application/json"],
    ["application/problem+json, text/html", "application/json"],
    ["text/html, application/json", "text/plain; charset=utf-8"],
    ["application/JSON;q=0.9, text/plain", "application/json"],
  ])("to a client that accepts %j is %s", (accept, type) => {
    const { body, field } = respond({ accept });
    expect(field("content-type")).toEqual([type]);
    if (type !== "application/json") return;
    const message = "Bad Gateway";
    expect(JSON.parse(body)).toEqual({ error: { code: "connect_refused", message, requestId: "r-1" } });
  });

  test("has Retry-After with 503 alone", () => {
    expect(respond({ code: "none_available" }).field("retry-after")).toEqual(["1"]);
    expect(respond({ code: "connect_refused" }).field("retry-after")).toEqual([]);
  });

  test("closes the connection after an error of the client, and where the caller says so", () => {
    expect(respond({ code: "bad_request" }).field("connection")).toEqual(["close"]);
    expect(respond({ close: true }).field("connection")).toEqual(["close"]);
    expect(respond().field("connection")).toEqual([]);
  });

  test("has the cookie that it is given", () => {
    expect(respond({ setCookie: "a=1; Path=/" }).field("set-cookie")).toEqual(["a=1; Path=/"]);
    expect(respond().field("set-cookie")).toEqual([]);
  });
});

test("a body is settled when it was received, or when its rest is short", () => {
  const most = limits.discardedBodyBytes;
  const lengths = [0, most, most + 1, -1];
  expect(lengths.map((length) => isSettled({ bodyComplete: false }, length))).toEqual([true, true, false, false]);
  expect(lengths.map((length) => isSettled({ bodyComplete: true }, length))).toEqual([true, true, true, true]);
});
