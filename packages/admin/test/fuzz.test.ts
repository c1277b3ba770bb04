/** Random requests, made of parts that attackers use. The seed is fixed, so that a failure can be reproduced. */

import { connect } from "node:net";
import { createProxy } from "evenkeel";
import { seededRandom } from "evenkeel/testing";
import { expect, test } from "vitest";
import { createAdmin } from "../src/index.ts";
import { serve } from "./support/harness.ts";

const member = "/api/pools/api/upstreams/a";

const words = {
  method: ["GET", "HEAD", "POST", "DELETE", "PUT", "OPTIONS", "TRACE", "PROPFIND"],
  path: ["/", "/healthz", "/metrics", "/api/pools", "/api/pools/api", "/api/reload", "*", "x"],
  tail: ["/a", "/%", "%00", "/..", "//", "/__proto__", "?x=%", "#", "/\u00ff"],
  host: ["127.0.0.1:1", "[::1]", "evil", "[::1", ""],
  header: [
    "Origin: null",
    "Origin: http://[",
    "Authorization: Bearer t",
    "Authorization: \u00fc",
    "Content-Type: application/json",
    "Content-Type: ;",
    "Content-Length: 3",
    "Content-Length: 99999999",
    "Content-Encoding: br",
    "Transfer-Encoding: chunked",
    "Upgrade: h2c",
    "Expect: 100-continue",
    "Sec-Fetch-Mode: no-cors",
  ],
  body: [
    "",
    "{}",
    '{"weight":5}',
    '{"weight":1e99}',
    '{"__proto__":{}}',
    "3\r\n[0]\r\n0\r\n\r\n",
    "[".repeat(9_000),
    "\0",
  ],
} as const;

test("no random request breaks the admin API", async () => {
  const random = seededRandom(20_260_725);
  const one = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  /** Mostly the usual value, which passes the first checks, so that the later checks run too. */
  const mostly = <T>(usual: T, list: readonly T[]): T => (random() < 0.6 ? usual : one(list));
  const options = { pools: { api: { upstreams: [{ id: "a", url: "http://127.0.0.1:3001" }] } } };
  const proxy = createProxy(options);
  const admin = createAdmin(proxy, { onReload: () => proxy.reload(options) });
  const { port, send } = await serve(admin.handler);
  const seen = new Set<number>();
  for (let round = 0; round < 400; round++) {
    proxy.reload(options); // restores an upstream that a DELETE has removed
    const body = one(words.body);
    const headers = [`Host: ${mostly("localhost", words.host)}`, "Connection: close"];
    if (random() < 0.7) headers.push("Content-Type: application/json", `Content-Length: ${body.length}`);
    if (random() < 0.5) headers.push(one(words.header));
    const target = mostly(member, words.path) + mostly("", words.tail);
    const head = `${mostly("PATCH", words.method)} ${target} HTTP/1.1\r\n${headers.join("\r\n")}`;
    const response = await exchange(port, `${head}\r\n\r\n${body}`);
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(response.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, ""))?.[1]);
    seen.add(status);
    expect([head, status]).toEqual([head, expect.toSatisfy((code: number) => code >= 200 && code < 500)]);
    expect(response).not.toMatch(/\.ts:\d|\n\s+at /);
  }
  expect([...seen].sort()).toEqual(expect.arrayContaining([200, 400, 403, 404, 405, 415, 421, 422]));
  expect((await send("GET", "/healthz")).status).toBe(200);
});

/** Sends bytes, half-closes, and returns everything that is received. */
function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, "127.0.0.1", () => socket.end(bytes, "latin1"));
    // A server may reset the connection after the response if it has not read the body.
    socket.on("data", (chunk) => chunks.push(chunk)).on("error", () => {});
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
  });
}
