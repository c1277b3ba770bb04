/** Fastify with `http2: true`: HTTP/2 clients over TLS and with prior knowledge, and HTTP/1.1 clients beside them. */

import { connect, type IncomingHttpHeaders } from "node:http2";
import { get } from "node:https";
import { text } from "node:stream/consumers";
import { fastify } from "fastify";
import { expect, onTestFinished, test } from "vitest";
import { cert, key } from "../../core/test/support/certificates.ts";
import { startUpstream } from "../../core/test/support/start-upstream.ts";
import evenkeel from "../src/index.ts";

interface AnyApp {
  listen(options: { readonly port: number; readonly host: string }): Promise<string>;
  close(): unknown;
}

interface Answer {
  readonly head: IncomingHttpHeaders & { readonly ":status"?: number };
  readonly body: string;
}

async function serve(app: AnyApp): Promise<number> {
  const address = await app.listen({ port: 0, host: "127.0.0.1" });
  onTestFinished(async () => void (await app.close()));
  return Number(new URL(address).port);
}

function ask(origin: string, fields: Record<string, string>, body?: string): Promise<Answer> {
  const session = connect(origin, { ca: cert });
  session.on("error", () => {});
  onTestFinished(() => session.destroy());
  return new Promise((resolve, reject) => {
    const stream = session.request(fields, { endStream: body === undefined });
    let head: IncomingHttpHeaders = {};
    stream.on("response", (one) => {
      head = one;
    });
    stream.on("error", reject);
    void text(stream).then((all) => resolve({ head, body: all }), reject);
    if (body !== undefined) stream.end(body);
  });
}

test("serves clients of HTTP/2 and HTTP/1.1 over TLS", async () => {
  const { url, received } = await startUpstream("a");
  const app = fastify({ http2: true, https: { key, cert, allowHTTP1: true } });
  await app.register(evenkeel, { prefix: "/api", upstreams: [url] });
  const port = await serve(app);
  const { head, body } = await ask(`https://localhost:${port}`, { ":path": "/api/x?y" });
  expect([head[":status"], body]).toEqual([200, "a"]);
  const old = await new Promise<number | undefined>((resolve, reject) => {
    get({ host: "localhost", port, path: "/api/old", ca: cert }, (res) => {
      res.resume();
      resolve(res.statusCode);
    }).on("error", reject);
  });
  expect(old).toBe(200);
  expect(
    received.map(({ url: path, headers }) => [path, headers["x-forwarded-proto"], headers["x-forwarded-prefix"]]),
  ).toEqual([
    ["/x?y", "https", "/api"],
    ["/old", "https", "/api"],
  ]);
});

test("forwards bodies, and the rest is the app's", async () => {
  const { url } = await startUpstream("a", (req, res) => void req.pipe(res));
  const app = fastify({ http2: true });
  await app.register(evenkeel, { prefix: "/api", upstreams: [url] });
  app.get("/own", async () => "mine");
  const origin = `http://127.0.0.1:${await serve(app)}`;
  expect((await ask(origin, { ":method": "POST", ":path": "/api/echo" }, "hello")).body).toBe("hello");
  expect((await ask(origin, { ":path": "/own" })).body).toBe("mine");
  expect((await ask(origin, { ":path": "/none" })).head[":status"]).toBe(404);
});

test("has the headers of the app's hooks, before and after the upstream's response", async () => {
  const { url } = await startUpstream("a", (_req, res) => void res.writeHead(201, { "X-Up": "1" }).end("hello"));
  const app = fastify({ http2: true });
  app.addHook("onRequest", async (_request, reply) => {
    reply.header("x-early", "1");
  });
  app.addHook("onSend", async (_request, reply) => {
    reply.header("x-late", "1");
  });
  await app.register(evenkeel, { upstreams: [url] });
  const { head, body } = await ask(`http://127.0.0.1:${await serve(app)}`, {});
  expect([head[":status"], body]).toEqual([201, "hello"]);
  expect([head["x-early"], head["x-late"], head["x-up"]]).toEqual(["1", "1", "1"]);
});

test("responds to a failure, or leaves it to the error handler of the app", async () => {
  const nowhere = { upstreams: ["http://127.0.0.1:1"], retry: { connectFor: "0s" } } as const;
  const app = fastify({ http2: true });
  app.setErrorHandler((error, _request, reply) => void reply.code(599).send((error as { code?: string }).code));
  await app.register(evenkeel, { prefix: "/own", ...nowhere });
  await app.register(evenkeel, { prefix: "/app", passErrors: true, ...nowhere });
  const origin = `http://127.0.0.1:${await serve(app)}`;
  const own = await ask(origin, { ":path": "/own" });
  expect([own.head[":status"], own.head["proxy-status"]]).toEqual([502, expect.stringContaining("connection_refused")]);
  const passed = await ask(origin, { ":path": "/app" });
  expect([passed.head[":status"], passed.body]).toEqual([599, "connect_refused"]);
});

test("writes no warnings", async () => {
  const warnings: string[] = [];
  const onWarning = (warning: Error) => warnings.push(warning.message);
  process.on("warning", onWarning);
  onTestFinished(() => void process.off("warning", onWarning));
  const { url } = await startUpstream(
    "a",
    (_req, res) => void res.writeHead(200, "Fine", { Connection: "close" }).end(),
  );
  const app = fastify({ http2: true });
  app.addHook("onSend", async () => {});
  await app.register(evenkeel, { upstreams: [url] });
  await ask(`http://127.0.0.1:${await serve(app)}`, {});
  await new Promise((resolve) => setImmediate(resolve));
  expect(warnings).toEqual([]);
});
