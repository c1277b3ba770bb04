import { describe, expect, it } from "vitest";
import { formatListenAddress, parseListenAddress } from "../../src/config/listen-address.ts";

describe("parseListenAddress", () => {
  it.each([
    ["127.0.0.1:8080", { host: "127.0.0.1", port: 8080 }],
    ["[::1]:80", { host: "::1", port: 80 }],
    ["[fe80::1%eth0]:80", { host: "fe80::1%eth0", port: 80 }],
    ["unix:/run/x.sock", { socketPath: "/run/x.sock" }],
    [":80", { host: undefined, port: 80 }],
    ["a-b_c:80", { host: "a-b_c", port: 80 }],
  ])("parses %s, and formats it again", (text, address) => {
    expect(parseListenAddress(text)).toEqual(address);
    expect(formatListenAddress(address)).toBe(text);
  });

  it.each([
    "",
    "80",
    ":",
    "a",
    "a:",
    "a:x",
    ":65536",
    ":-1",
    ":1.5",
    ":000080",
    "::1:80",
    "[::1]",
    "[::1]:",
    "[127.0.0.1]:80",
    "[a]:80",
    "[]:80",
    "256.0.0.1:80",
    "127.1:80",
    "1:80",
    "a b:80",
    "a/b:80",
    "-:80/",
    "http://a:80",
    "*:80",
    "a..b:80",
    "unix:",
    "unix:a\0b",
    " :80",
    ":80\n",
  ])("refuses %j", (text) => {
    expect(parseListenAddress(text)).toMatch(/^expected "host:port"/);
  });
});
