/** The proxy's handler in a server of node:http2, which gives it requests of its compatibility API. */

import { connect, createServer, type IncomingHttpHeaders } from "node:http2";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { errorCode } from "../../src/http2/protocol.ts";
import type { ProxyOptions } from "../../src/index.ts";
import { createProxy, type Proxy } from "../../src/proxy.ts";
import { FrameClient, requestFields } from "../support/frame-client.ts";
import { headers } from "../support/frame-server.ts";
import { nextEvent } from "../support/start-proxy.ts";
import { startUpstream, type TestUpstream } from "../support/start-upstream.ts";

async function lab(answer?: TestUpstream["answer"], options: Partial<ProxyOptions> = {}) {
  const upstream = await startUpstream("a", answer);
  const proxy: Proxy = createProxy({ upstreams: [upstream.url], ...options });
  const server = createServer(proxy.handler);
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => {
    server.once("listening", resolve);
  });
  const { port } = server.address() as AddressInfo;
  const session = connect(`http://127.0.0.1:${port}`);
  onTestFinished(async () => {
    session.destroy();
    server.close();
    await proxy.close({ timeout: "0ms" });
  });
  const request = (fields: Record<string, string | string[]>, body?: string) =>
    new Promise<{ readonly head: IncomingHttpHeaders & { ":status"?: number }; readonly body: string }>(
      (resolve, reject) => {
        const stream = session.request(fields, { endStream: body === undefined });
        let head: IncomingHttpHeaders = {};
        let text = "";
        stream.on("response", (one) => {
          head = one;
        });
        stream.on("data", (chunk: Buffer) => {
          text += chunk.toString("latin1");
        });
        stream.on("end", () => resolve({ head, body: text })).on("error", reject);
        if (body !== undefined) stream.end(body);
      },
    );
  return { upstream, proxy, port, request };
}

test("a request is forwarded with its host, its cookies and its version", async () => {
  const { upstream, proxy, request, port } = await lab((_req, res) => {
    res.writeHead(200, { "Set-Cookie": ["a=1", "b=2"], Connection: "keep-alive" });
    res.end("hello");
  });
  const finished = nextEvent(proxy, "request");
  const { head, body } = await request({ ":path": "/a?b=1", cookie: ["c=1", "d=2"], te: "trailers" });
  expect([head[":status"], body, head["set-cookie"], head["connection"]]).toEqual([
    200,
    "hello",
    ["a=1", "b=2"],
    undefined,
  ]);
  const [received] = upstream.received;
  expect([received?.method, received?.url]).toEqual(["GET", "/a?b=1"]);
  expect(received?.headers).toMatchObject({
    host: `127.0.0.1:${port}`,
    cookie: "c=1; d=2",
    via: "2.0 evenkeel",
    te: "trailers",
  });
  expect(received?.rawHeaders.some((name) => name.startsWith(":"))).toBe(false);
  expect(await finished).toMatchObject({ protocol: "HTTP/2.0", status: 200 });
});

test("a body has its length, or goes in chunks", async () => {
  const bodies: string[] = [];
  const { upstream, request } = await lab((req, res) => {
    let text = "";
    req.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    req.on("end", () => {
      bodies.push(text);
      res.end("ok");
    });
  });
  await request({ ":method": "POST", "content-length": "5" }, "hello");
  await request({ ":method": "POST" }, "again");
  expect(bodies).toEqual(["hello", "again"]);
  const framing = upstream.received.map(({ headers: fields }) => [
    fields["content-length"],
    fields["transfer-encoding"],
  ]);
  expect(framing).toEqual([
    ["5", undefined],
    [undefined, "chunked"],
  ]);
});

test("a response before the end of its request reaches the client whole", async () => {
  const { port } = await lab((_req, res) => void res.writeHead(403, { Connection: "close" }).end("no".repeat(20_000)));
  const client = await FrameClient.to({ port });
  client.send(headers(1, requestFields("/", [["content-length", "1000000"]], "POST")));
  await client.until(() => client.response(1).complete);
  expect([client.response(1).status, client.response(1).body.length]).toEqual([403, 40_000]);
});

test("a response that breaks off is reset", async () => {
  const { port } = await lab((_req, res) => {
    res.writeHead(200, { "Content-Length": "10" });
    res.write("hello", () => res.destroy());
  });
  const client = await FrameClient.to({ port });
  client.send(headers(1, requestFields(), { endStream: true }));
  const { status, complete, resetCode } = await client.over(1);
  expect([status, complete, resetCode]).toEqual([200, false, errorCode.internalError]);
});

test("a Host that differs from :authority is refused", async () => {
  const { upstream, request } = await lab();
  const { head } = await request({ ":authority": "a.example", host: "b.example" });
  expect([head[":status"], upstream.received.length]).toEqual([400, 0]);
});

test("a request that no route matches is left to the app", async () => {
  const { proxy } = await lab(undefined, { routes: [{ path: "/api" }] });
  const server = createServer((req, res) => proxy.handler(req, res, () => void res.end("mine")));
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => {
    server.once("listening", resolve);
  });
  const client = await FrameClient.to({ port: (server.address() as AddressInfo).port });
  onTestFinished(() => void server.close());
  client.send(
    headers(1, requestFields("/own"), { endStream: true }),
    headers(3, requestFields("/api/a"), { endStream: true }),
  );
  expect([(await client.over(1)).body.toString(), (await client.over(3)).body.toString()]).toEqual(["mine", "a"]);
});

test("what an app has changed in the headers is forwarded", async () => {
  const { proxy, upstream } = await lab();
  const server = createServer((req, res) => {
    req.headers["x-user"] = "7";
    delete req.headers["x-secret"];
    proxy.handler(req, res);
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => {
    server.once("listening", resolve);
  });
  const client = await FrameClient.to({ port: (server.address() as AddressInfo).port });
  onTestFinished(() => void server.close());
  client.send(
    headers(
      1,
      requestFields("/", [
        ["x-secret", "1"],
        ["x-kept", "2"],
      ]),
      { endStream: true },
    ),
  );
  expect((await client.over(1)).status).toBe(200);
  const received = upstream.received[0]?.headers;
  expect([received?.["x-user"], received?.["x-secret"], received?.["x-kept"]]).toEqual(["7", undefined, "2"]);
});
