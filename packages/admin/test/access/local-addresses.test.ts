import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { isUnixSocket, parseHost } from "../../src/access/local-addresses.ts";
import { isLoopbackListen } from "../../src/index.ts";

describe("isLoopbackListen", () => {
  test.each([
    "127.0.0.1:9090",
    "127.0.0.1",
    "127.9.9.9:1",
    "localhost:9090",
    "LocalHost",
    "[::1]:9090",
    "::1",
    "[::ffff:127.0.0.1]:80",
    "unix:/run/admin.sock",
  ])("%s can be reached from this machine only", (listen) => {
    expect(isLoopbackListen(listen)).toBe(true);
  });

  test.each([
    "",
    ":9090",
    "0.0.0.0:9090",
    "[::]:9090",
    "10.0.0.1:9090",
    "admin.example.com:9090",
    "localhost.example.com",
    "127.0.0.1.example.com",
    "128.0.0.1",
    "127.0.0.1:9090/x",
    "user@localhost",
  ])("%s needs a token", (listen) => {
    expect(isLoopbackListen(listen)).toBe(false);
  });
});

test.each([
  ["example.com", "example.com"],
  ["Example.COM.:80", "example.com"],
  ["[2001:DB8::1]:9090", "2001:db8::1"],
  ["2001:db8::1", "2001:db8::1"],
  ["10.0.0.1:9090", "10.0.0.1"],
  ["example.com:", undefined],
  ["example.com:port", undefined],
  ["user@example.com", undefined],
  ["example.com/path", undefined],
  ["[example.com]", undefined],
  ["a b", undefined],
  ["", undefined],
])("the host of %j is %j", (authority, host) => {
  expect(parseHost(authority)).toBe(host);
});

test("a closed connection, which has no address either, is not one of a Unix socket", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect(server.address() as { port: number });
  const [socket] = (await once(server, "connection")) as [Socket];
  expect(isUnixSocket(socket)).toBe(false);
  socket.destroy();
  expect([socket.address(), isUnixSocket(socket)]).toEqual([{}, false]);
  client.destroy();
  server.close();
});
