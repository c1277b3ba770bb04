import { describe, expect, test } from "vitest";
import { HeaderList } from "../../src/http1/header-list.ts";
import { checkChangedHeaders, withAppHeaders } from "../../src/request/app-headers.ts";
import { headOf } from "../support/incoming.ts";

/** The head of a request whose headers an app has changed. */
function changed(change: (headers: HeaderList) => void, headers: readonly string[] = ["Host: shop.example", "A: 1"]) {
  const head = headOf({ headers: [...headers] });
  const list = new HeaderList([...head.passed]);
  change(list);
  return withAppHeaders(head, list.raw, head.passed);
}

describe("the headers of a request", () => {
  test("stay as they are when nothing was set", () => {
    const head = changed(() => {}, ["Host: h", "b: 1", "A: 2", "b: 3"]);
    expect(head).toMatchObject({ host: "h", passed: ["b", "1", "A", "2", "b", "3"], replacing: undefined });
  });

  test("what is free stands among the client's, what replaces stands apart", () => {
    const head = changed((headers) => {
      headers.set("a", "2");
      headers.set("HOST", "chat.internal:81");
      headers.set("X-Forwarded-Proto", "https");
    });
    expect(head).toMatchObject({ host: "chat.internal:81", passed: ["a", "2"] });
    expect(head.replacing).toEqual({
      set: [
        ["HOST", "chat.internal:81"],
        ["X-Forwarded-Proto", "https"],
      ],
      drop: new Set(["host", "x-forwarded-proto"]),
    });
  });

  test("a list that is set in several lines becomes one line, anything else set twice is an error", () => {
    const head = changed((headers) => {
      headers.append("Via", "1.1 a");
      headers.append("via", "1.1 b");
    });
    expect(head.replacing?.set).toEqual([["Via", "1.1 a, 1.1 b"]]);
    const twice = (headers: HeaderList) => {
      for (const host of ["a", "b"]) headers.append("Host", host);
    };
    expect(() => changed(twice)).toThrow('the header "Host" was set twice');
  });

  test("what was set before stays unless it is set again", () => {
    const first = changed((headers) => {
      headers.set("X-Request-Id", "1");
      headers.set("Via", "1.1 a");
    });
    const second = withAppHeaders(first, [...first.passed, "via", "1.1 b"], first.passed);
    expect(second.replacing?.set).toEqual([
      ["X-Request-Id", "1"],
      ["via", "1.1 b"],
    ]);
  });

  test.each([
    ["Connection", "close", 'the header "Connection" cannot be set'],
    ["te", "trailers", 'the header "te" cannot be set'],
    ["Sec-WebSocket-Key", "x", 'the header "Sec-WebSocket-Key" cannot be set'],
    ["Host", "a b", 'the header "Host" was set to a value that is no host'],
    ["X", "1\r\nEvil: 1", 'the header "X" has a value that is not one line of Latin-1 text'],
    ["X Y", "1", 'the header name "X Y" has characters that no header name has'],
  ])("%j: %j is refused by name, without its value", (name, value, message) => {
    const change = (headers: HeaderList) => headers.set(name, value);
    expect(() => changed(change)).toThrow(TypeError);
    expect(() => changed(change)).toThrow(message);
    if (value.length > 8) expect(() => changed(change)).not.toThrow(value);
  });

  test("what the client has sent is not judged again", () => {
    const headers = ["Host: h", "Sec-WebSocket-Key: k", "Sec-WebSocket-Version: 13"];
    expect(changed((list) => list.set("X", "1"), headers).passed).toContain("Sec-WebSocket-Key");
  });
});

test("the headers of a response may keep their framing, and get no other", () => {
  const before = ["Content-Length", "5", "A", "1"];
  expect(() => checkChangedHeaders(["A", "2", "Content-Length", "5"], before)).not.toThrow();
  expect(() => checkChangedHeaders(["A", "1", "Content-Length", "6"], before)).toThrow('"Content-Length"');
  expect(() => checkChangedHeaders([...before, "Upgrade", "h2c"], before)).toThrow('"Upgrade"');
});
