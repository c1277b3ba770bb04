import { type ListenAddress, parseListenAddress } from "evenkeel";
import { describe, expect, it } from "vitest";
import { isLoopback } from "../../src/command-tables/listen-address.ts";

describe("isLoopback", () => {
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
  ])("%s", (text, address, loopback) => {
    expect(parseListenAddress(text)).toEqual(address);
    expect(isLoopback(address)).toBe(loopback);
  });
});
