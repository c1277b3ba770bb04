import { describe, expect, it } from "vitest";
import { isLoopback, parseListen } from "../../src/command-tables/listen-address.ts";
import type { ListenAddress } from "../../src/index.ts";

describe("parseListen", () => {
  it.each<[string, ListenAddress, loopback: boolean]>([
    ["127.0.0.1:8080", { host: "127.0.0.1", port: 8080 }, true],
    ["127.1.2.3:0", { host: "127.1.2.3", port: 0 }, true],
    ["localhost:1", { host: "localhost", port: 1 }, true],
    ["LocalHost:65535", { host: "LocalHost", port: 65_535 }, true],
    ["[::1]:80", { host: "::1", port: 80 }, true],
    ["[0:0:0:0:0:0:0:1]:80", { host: "0:0:0:0:0:0:0:1", port: 80 }, true],
    ["[::ffff:127.0.0.1]:80", { host: "::ffff:127.0.0.1", port: 80 }, true],
    ["unix:/run/x.sock", { socketPath: "/run/x.sock" }, true],
    ["unix:x.sock", { socketPath: "x.sock" }, true],
    [":80", { host: undefined, port: 80 }, false],
    ["0.0.0.0:80", { host: "0.0.0.0", port: 80 }, false],
    ["[::]:80", { host: "::", port: 80 }, false],
    ["[fe80::1%eth0]:80", { host: "fe80::1%eth0", port: 80 }, false],
    ["10.0.0.1:80", { host: "10.0.0.1", port: 80 }, false],
    ["128.0.0.1:80", { host: "128.0.0.1", port: 80 }, false],
    ["localhost.example.com:80", { host: "localhost.example.com", port: 80 }, false],
    ["127.0.0.1.example.com:80", { host: "127.0.0.1.example.com", port: 80 }, false],
    ["a-b_c:80", { host: "a-b_c", port: 80 }, false],
  ])("parses %s and knows whether it is a loopback address", (text, address, loopback) => {
    expect(parseListen(text)).toEqual(address);
    expect(isLoopback(address)).toBe(loopback);
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
    expect(parseListen(text)).toMatch(/^expected "host:port"/);
  });
});
