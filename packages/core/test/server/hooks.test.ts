import { request } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { LazyServerRequest, type ServerRequest } from "../../src/client/server-request.ts";
import type { RequestContext } from "../../src/forward/hooks.ts";
import { createProxy } from "../../src/proxy.ts";

test("hooks receive the head of the request, with the properties of Node's", async () => {
  let seen: unknown;
  const hooks = {
    onRequest({ req, respond }: RequestContext<ServerRequest>) {
      seen = req;
      respond({ status: 204 });
    },
  };
  const proxy = createProxy({ upstreams: ["http://127.0.0.1:1"] }, hooks);
  onTestFinished(() => proxy.close({ timeout: "0ms" }));
  const server = await proxy.listen("127.0.0.1:0");
  const headers = { "X-A": ["1", "2"], Cookie: ["a=1", "b=2"], Host: "example.com" };
  const status = await new Promise((resolve, reject) => {
    request(`${server.urls[0]}/path?x=1`, { method: "PUT", headers, agent: false }, (res) => {
      res.resume();
      resolve(res.statusCode);
    })
      .once("error", reject)
      .end();
  });
  expect(status).toBe(204);
  expect(seen).toMatchObject({
    method: "PUT",
    url: "/path?x=1",
    httpVersion: "1.1",
    headers: { "x-a": "1, 2", cookie: "a=1; b=2", host: "example.com" },
    rawHeaders: expect.arrayContaining(["X-A", "1", "X-A", "2"]),
    socket: { remoteAddress: "127.0.0.1", encrypted: false },
  });
});

test("repeated headers are joined as in Node", () => {
  const rawHeaders = [
    "A",
    "1",
    "a",
    "2",
    "Content-Type",
    "x",
    "content-type",
    "y",
    "Set-Cookie",
    "a",
    "set-cookie",
    "b",
  ];
  const { headers } = new LazyServerRequest({
    method: "GET",
    target: "/",
    httpVersion: "1.1",
    rawHeaders: [...rawHeaders, "__proto__", "x"],
    changedHeaders: undefined,
    remoteAddress: undefined,
    encrypted: true,
  });
  expect({ ...headers }).toEqual({ a: "1, 2", "content-type": "x", "set-cookie": ["a", "b"], ["__proto__"]: "x" });
  expect(Object.getPrototypeOf(headers)).toBe(null);
});
