import { describe, expect, test } from "vitest";
import { headerRule } from "../../src/config/settable-header.ts";
import { clientHeaders } from "../../src/forward/headers/client-headers.ts";
import { clientTrailers } from "../../src/forward/headers/trailers.ts";
import { connectionSpecificNames, hopByHopNames } from "../../src/http1/hop-by-hop.ts";
import { faultOfField } from "../../src/http2/field-rules.ts";
import { readOutboundHead } from "../../src/outbound/outbound-head.ts";
import { requestFields } from "../../src/transport/http2/request-fields.ts";
import { headOf, linesOf } from "../support/incoming.ts";

/** Values that no rule about the value itself refuses, such as that of Transfer-Encoding. */
const valueOf = (name: string) => (name === "transfer-encoding" ? "chunked" : "x");

describe.each(hopByHopNames)("%s is not forwarded", (name) => {
  const value = valueOf(name);

  test("from a client's request", () => {
    expect(linesOf(headOf({ headers: [`${name}: ${value}`, "X-A: 1"] }).passed)).toEqual(["X-A: 1"]);
  });

  test("from an upstream's response, informational responses included", () => {
    expect(clientHeaders([name, value], undefined)).toEqual(["Via", "1.1 evenkeel"]);
    expect(clientHeaders([name, value], undefined, 103)).toEqual(["Via", "1.1 evenkeel"]);
  });

  test("from an upstream's trailers", () => {
    expect(clientTrailers([name, value, "x-a", "1"], undefined)).toEqual([["x-a", "1"]]);
  });

  test("from an outbound request", () => {
    const { headers } = readOutboundHead({ method: "GET", path: "/", headers: { [name]: value, "x-a": "1" } });
    expect(headers).toEqual(["x-a", "1"]);
  });

  test("when an app sets it", () => {
    expect(headerRule(name)).toBe("refused");
  });
});

test.each(connectionSpecificNames)("%s makes a message over HTTP/2 malformed", (name) => {
  expect(faultOfField(name, "x")).toBe(`a field of the connection: ${name}`);
});

// A field that frames fails the request, as over HTTP/1.1.
const droppedNames = [...connectionSpecificNames, "http2-settings"].filter((name) => name !== "transfer-encoding");

test.each(droppedNames)("%s is not sent over HTTP/2", (name) => {
  const head = { method: "GET", path: "/", bodyLength: 0, headersTimeoutMs: 0, freshConnection: false };
  expect(requestFields({ ...head, headers: [name, "x", "x-a", "1"] }, "http").slice(-2)).toEqual(["x-a", "1"]);
  expect(requestFields({ ...head, headers: [name, "x"] }, "http")).not.toContain(name);
});
