import { once } from "node:events";
import http from "node:http";
import { describe, expect, onTestFinished, test } from "vitest";
import { createProxy, type ForwardOptions, type ProxyOptions, type Proxy as ReverseProxy } from "../../src/index.ts";
import { ask, askSeen, listen, nextRequest, sha256, startUpstream } from "../support/adapter-lab.ts";
import { refusingUrl } from "../support/refusing-port.ts";

type Telling = (req: http.IncomingMessage, res: http.ServerResponse) => ForwardOptions | Promise<ForwardOptions>;

/** A proxy that is told more of each request than the request says. */
async function serve(options: ProxyOptions, tell: Telling): Promise<{ port: number; proxy: ReverseProxy }> {
  const proxy = createProxy(options);
  onTestFinished(() => proxy.close({ timeout: "0ms" }));
  const server = http.createServer((req, res) => {
    void Promise.resolve(tell(req, res)).then((told) => proxy.forward(req, res, told));
  });
  return { port: await listen(server), proxy };
}

describe("onError", () => {
  test("answers in the proxy's place, and the event tells what it has answered", async () => {
    const { port, proxy } = await serve({ upstreams: [await refusingUrl()] }, (_req, res) => ({
      onError: (error) => {
        expect(res.headersSent).toBe(false);
        res.writeHead(418, { "X-Code": error.code, "X-Status": error.status }).end("mine");
      },
    }));
    const told = nextRequest(proxy);
    const { status, headers, body } = await ask(port);
    expect([status, body.toString()]).toEqual([418, "mine"]);
    expect(headers).toMatchObject({ "x-code": "connect_refused", "x-status": "502" });
    expect(headers).not.toHaveProperty("proxy-status");
    expect(await told).toMatchObject({ status: 418, error: "connect_refused" });
  });

  test("takes the place of an upstream's head that has not been written", async () => {
    const { url } = await startUpstream("a", (_req, res) => res.writeHead(200).end());
    const proxy = createProxy(
      { upstreams: [url] },
      {
        onResponse: () => {
          throw new Error("no");
        },
      },
    );
    onTestFinished(() => proxy.close({ timeout: "0ms" }));
    const server = http.createServer((req, res) =>
      proxy.forward(req, res, { onError: ({ code, status }) => res.writeHead(status).end(code) }),
    );
    const { status, body } = await ask(await listen(server));
    expect([status, body.toString()]).toEqual([502, "response_hook_failed"]);
  });

  test("ends the connection where the request's body has not been read", async () => {
    const options = {
      pools: { api: { upstreams: [await refusingUrl()] } },
      routes: [{ pool: "api", maxBodySize: "10b" }],
    };
    const { port } = await serve(options, (_req, res) => ({
      onError: ({ code, status }) => void res.writeHead(status).end(code),
    }));
    const { status, headers, body } = await ask(port, { method: "POST", body: "x".repeat(100_000) });
    expect([status, headers.connection, body.toString()]).toEqual([413, "close", "body_too_large"]);
  });
});

describe("a body that was read before", () => {
  const readFirst = async (req: http.IncomingMessage) => {
    for await (const _chunk of req);
  };

  test("is sent as it is given, with the headers that are given", async () => {
    const { url } = await startUpstream();
    const { port } = await serve({ upstreams: [url] }, async (req) => {
      await readFirst(req);
      return { body: () => Buffer.from("given"), rawHeaders: ["Host", "h", "Content-Length", "7", "X-Given", "1"] };
    });
    const seen = await askSeen(port, { method: "POST", body: "as sent", headers: { "x-sent": "1" } });
    expect(seen).toMatchObject({ bytes: 5, sha256: sha256(Buffer.from("given")) });
    expect(seen.headers).toMatchObject({ host: "h", "content-length": "5", "x-given": "1" });
    expect(seen.headers).not.toHaveProperty("x-sent");
  });

  test.each([false, true])(
    "and is given by nobody is a 500 that says so, and no hang (chunked: %s)",
    async (chunked) => {
      const { port, proxy } = await serve({ upstreams: [await refusingUrl()] }, async (req) => {
        await readFirst(req);
        return {};
      });
      const told = nextRequest(proxy);
      const { status, body } = await ask(port, { method: "POST", body: "some", chunked });
      expect([status, body.toString()]).toEqual([500, expect.stringContaining("mount the proxy in front of it")]);
      expect(await told).toMatchObject({ status: 500, error: "body_consumed", attempts: [] });
    },
  );

  test("in part is a 500 as well: what is missing cannot be made up", async () => {
    const { port } = await serve({ upstreams: [await refusingUrl()] }, async (req) => {
      await once(req, "data");
      return {};
    });
    const { status, body } = await ask(port, { method: "POST", body: "x".repeat(1_000_000) });
    expect([status, body.toString()]).toEqual([500, expect.stringContaining("body_consumed")]);
  });

  test("an empty one was nobody's to read", async () => {
    const { url } = await startUpstream();
    const { port } = await serve({ upstreams: [url] }, async (req) => {
      await readFirst(req);
      return {};
    });
    expect((await askSeen(port, { method: "POST", body: "" })).bytes).toBe(0);
  });
});

test("events tell the target that was given as the original", async () => {
  const { url } = await startUpstream();
  const { port, proxy } = await serve({ upstreams: [url] }, () => ({ mountPath: "/api", originalUrl: "/api?x" }));
  const told = nextRequest(proxy);
  await ask(port, { path: "/?x" });
  expect(await told).toMatchObject({ url: "/api?x" });
});

test("leftToApp ends the upstream's request, and the app's own response stands", async () => {
  let leave = () => {};
  let closed: Promise<unknown> = Promise.resolve();
  const { url } = await startUpstream("a", (_req, res) => {
    closed = once(res, "close");
    // Too little to be written before the end is known.
    res.writeHead(200, { "content-length": 100 }).write("some", () => leave());
  });
  const { port, proxy } = await serve({ upstreams: [url] }, (_req, res) => {
    const left = new AbortController();
    leave = () => {
      left.abort();
      res.writeHead(418).end("mine");
    };
    return { leftToApp: left.signal };
  });
  const told = nextRequest(proxy);
  const { status, body } = await ask(port);
  expect([status, body.toString()]).toEqual([418, "mine"]);
  expect(await told).toMatchObject({ status: 418, error: undefined });
  await closed;
  expect(proxy.snapshot().pools).toMatchObject([{ upstreams: [{ inFlight: 0 }] }]);
});
