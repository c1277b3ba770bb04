import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { cert, key } from "../support/certificates.ts";
import { collect, EchoClient, echo, grpcServer } from "../support/grpc-lab.ts";
import { serve } from "../support/serve.ts";
import { startUpstream } from "../support/start-upstream.ts";

const texts = Array.from({ length: 50 }, (_, index) => Buffer.from(`message ${index}`));

/** Makes calls of all kinds, and returns their codes. */
async function callAll(client: EchoClient): Promise<number[]> {
  const both = client.both();
  const ended = collect(both);
  for (const text of texts) both.write(text);
  both.end();
  const results = [
    await client.unary("hello"),
    await client.upload(texts),
    await collect(client.download("row")),
    await ended,
  ];
  expect(results.map(({ messages }) => messages.length)).toEqual([1, 1, 100, 50]);
  return results.map(({ code }) => code);
}

test("calls over HTTP/2 with prior knowledge, beside HTTP/1.1 on the same port", async () => {
  const web = await startUpstream("web", (_req, res) => res.end("hello"));
  const { port, url, requests } = await serve(
    {
      pools: {
        web: { upstreams: [web.url] },
        echo: { upstreams: [(await grpcServer()).url], connections: { http2: "h2c" } },
      },
      routes: [{ path: "/test.Echo", pool: "echo" }, { pool: "web" }],
    },
    { h2c: true },
  );
  expect(await callAll(new EchoClient(port))).toEqual([0, 0, 0, 0]);
  expect(await (await fetch(url)).text()).toBe("hello");
  expect(requests.map(({ protocol, pool, grpcStatus }) => [protocol, pool, grpcStatus])).toEqual([
    ...Array.from({ length: 4 }, () => ["HTTP/2.0", "echo", 0]),
    ["HTTP/1.1", "web", undefined],
  ]);
});

test("calls over TLS on both sides", async () => {
  const upstream = await grpcServer(echo, { secure: { key, cert } });
  const pool = { upstreams: [upstream.url], connections: { http2: true }, tls: { ca: cert } };
  const { port } = await serve(pool, { tls: { cert, key } });
  expect(await callAll(new EchoClient(port, cert))).toEqual([0, 0, 0, 0]);
});

test("a call that is over the limit of streams waits, and none fails", async () => {
  const { port } = await serve(
    { upstreams: [(await grpcServer()).url], connections: { http2: "h2c" } },
    { h2c: true, limits: { maxConcurrentStreams: 5 } },
  );
  const client = new EchoClient(port);
  const results = await Promise.all(Array.from({ length: 100 }, () => client.unary("x")));
  expect(results.map(({ code }) => code)).toEqual(Array(100).fill(0));
});

test("a server that drains lets calls in flight end, and closes the connection", async () => {
  const { proxy, port } = await serve(
    { upstreams: [(await grpcServer()).url], connections: { http2: "h2c" } },
    { h2c: true },
  );
  const client = new EchoClient(port);
  const stream = client.both();
  const ended = collect(stream);
  stream.write(Buffer.from("x"));
  await new Promise((resolve) => stream.once("data", resolve));
  const closed = proxy.close({ timeout: "10s" });
  stream.write(Buffer.from("y"));
  stream.end();
  const { code, messages } = await ended;
  expect([code, messages.map(String)]).toEqual([0, ["x", "y"]]);
  await closed;
  expect(await client.unary("x")).toMatchObject({ code: status.UNAVAILABLE });
});
