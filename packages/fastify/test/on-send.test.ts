import { once } from "node:events";
import http from "node:http";
import type { FastifyInstance } from "fastify";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { startEcho } from "../../core/test/support/adapter-contract.ts";
import { ask, nextRequest, patterned, sha256, startUpstream } from "../../core/test/support/adapter-lab.ts";
import { refusingUrl } from "../../core/test/support/refusing-port.ts";
import { handshake, talk } from "../../core/test/support/talk.ts";
import evenkeel, { type EvenkeelOptions } from "../src/index.ts";
import { closeTimeout, createApp, refusal, serve } from "./support/app.ts";

const get = "GET /api/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

/** Sets cookies like cookie and session plugins: one in preHandler, and one in an asynchronous onSend. */
function setCookies(app: FastifyInstance): void {
  app.addHook("preHandler", async (_request, reply) => void reply.header("set-cookie", "csrf=1").header("x-app", "1"));
  app.addHook("onSend", async (_request, reply, payload) => {
    await new Promise(setImmediate);
    reply.header("set-cookie", "session=2").header("x-sent", "1");
    return payload;
  });
}

async function register(app: FastifyInstance, listener?: http.RequestListener, options: object = {}): Promise<number> {
  const { url } = await startUpstream("a", listener);
  await app.register(evenkeel, { prefix: "/api", upstreams: [url], closeTimeout, ...options } as EvenkeelOptions);
  return serve(app);
}

/** The lines of a head without the headers of every response. */
function linesOf(text: string): string[] {
  const own = /^(?:date|connection|content-length|transfer-encoding|via|keep-alive|x-request-id):/i;
  return (text.split("\r\n\r\n", 1)[0] ?? "").split("\r\n").filter((line) => !own.test(line));
}

describe("headers that hooks set on the reply reach the client", () => {
  test("together with the upstream's headers, which are unchanged", async () => {
    const app = createApp();
    setCookies(app);
    const port = await register(app, (_req, res) => {
      const own = [
        "X-Odd-CASE",
        "1",
        "Set-Cookie",
        "up=3",
        "x-ODD-case",
        "2",
        "Set-Cookie",
        "up=4",
        "X-App",
        "upstream",
      ];
      res.writeHead(200, "Fine", own).end("body");
    });
    const text = await talk(port, get);
    expect(linesOf(text)).toEqual([
      "HTTP/1.1 200 Fine",
      "X-Odd-CASE: 1",
      "X-Odd-CASE: 2",
      // The upstream's header replaces one that was set before onSend, as with @fastify/http-proxy.
      "X-App: upstream",
      ...["set-cookie: csrf=1", "set-cookie: up=3", "set-cookie: up=4", "set-cookie: session=2", "x-sent: 1"],
    ]);
    expect(text).toMatch(/\r\nbody\r\n/);
  });

  test("together with headers that are named like properties of Object.prototype", async () => {
    const app = createApp();
    setCookies(app);
    const lines = ["__proto__", "1", "__proto__", "2", "constructor", "3", "toString", "4"];
    const port = await register(app, (_req, res) => void res.writeHead(200, lines).end());
    const text = await talk(port, get);
    expect(text).toContain("__proto__: 1\r\n__proto__: 2\r\nconstructor: 3\r\ntoString: 4\r\n");
    expect(text).toContain("set-cookie: session=2\r\n");
  });

  test("when onSend replaces and removes the upstream's headers, and its status", async () => {
    const app = createApp();
    app.addHook("onSend", (_request, reply, payload, done) => {
      reply
        .header("server", "mine")
        .removeHeader("x-powered-by")
        .code(reply.statusCode === 500 ? 503 : 200);
      reply.header("content-length", "1").header("connection", "x-b").header("transfer-encoding", "gzip");
      done(null, payload);
    });
    const port = await register(app, (_req, res) => {
      res.writeHead(500, { Server: "theirs", "X-Powered-By": "them", "X-B": "1" }).end("failure");
    });
    const text = await talk(port, get);
    expect(linesOf(text)).toEqual(["HTTP/1.1 503 Service Unavailable", "X-B: 1", "server: mine"]);
    expect(text).toMatch(/\r\nfailure\r\n/);
  });

  test.each(["HEAD", "GET"])("for responses to %s without a body, whose status stays", async (method) => {
    const app = createApp();
    setCookies(app);
    app.addHook("onSend", async (_request, reply) => void reply.code(200));
    const port = await register(app, (_req, res) => void res.writeHead(304, { ETag: '"1"' }).end());
    const text = await talk(port, get.replace("GET", method));
    expect(linesOf(text)).toEqual([
      "HTTP/1.1 304 Not Modified",
      'ETag: "1"',
      ...["set-cookie: csrf=1", "set-cookie: session=2", "x-app: 1", "x-sent: 1"],
    ]);
    expect(text).toMatch(/\r\n\r\n$/);
  });

  test("for locally generated responses of the proxy", async () => {
    const app = createApp();
    setCookies(app);
    await app.register(evenkeel, { prefix: "/api", upstreams: [await refusingUrl()] });
    const { status, headers, body } = await ask(await serve(app), { path: "/api/x" });
    expect([status, headers["set-cookie"], headers["x-sent"]]).toEqual([502, ["csrf=1", "session=2"], "1"]);
    expect(body.toString()).toContain("connect_refused");
  });

  test("for errors that are passed to the app, once", async () => {
    const app = createApp();
    setCookies(app);
    app.setErrorHandler((error: { code?: string }, _request, reply) => reply.code(418).send({ code: error.code }));
    await app.register(evenkeel, { prefix: "/api", upstreams: [await refusingUrl()], passErrors: true });
    const { status, headers, body } = await ask(await serve(app), { path: "/api/x" });
    expect([status, headers["set-cookie"]]).toEqual([418, ["csrf=1", "session=2"]]);
    expect(JSON.parse(body.toString())).toEqual({ code: "connect_refused" });
  });

  test("without onSend hooks as well", async () => {
    const app = createApp();
    app.addHook(
      "preHandler",
      async (_request, reply) => void reply.header("set-cookie", "csrf=1").header("x-app", "1"),
    );
    const port = await register(app, (_req, res) => void res.setHeader("Set-Cookie", "up=3").end());
    const { headers } = await ask(port, { path: "/api/x" });
    expect([headers["set-cookie"], headers["x-app"]]).toEqual([["csrf=1", "up=3"], "1"]);
  });

  test("for the app's own 404 when no route matches, with the hooks run once", async () => {
    const app = createApp();
    setCookies(app);
    const routes = [{ path: "/users", pool: "a" }];
    const { url } = await startUpstream();
    await app.register(evenkeel, { prefix: "/api", pools: { a: { upstreams: [url] } }, routes });
    const { status, headers } = await ask(await serve(app), { path: "/api/other" });
    // Fastify runs the hooks before the 404 handler again.
    expect([status, headers["set-cookie"]]).toEqual([404, ["csrf=1", "csrf=1", "session=2"]]);
  });
});

test("onResponse hooks and loggers can read the whole head", async () => {
  const app = createApp();
  setCookies(app);
  const seen = new Promise<[number, Record<string, unknown>, unknown]>((resolve) => {
    app.addHook("onResponse", async (_request, reply) => {
      resolve([reply.statusCode, reply.getHeaders(), reply.raw.getHeader("x-up")]);
    });
  });
  const port = await register(app, (_req, res) => void res.writeHead(201, { "X-Up": "1" }).end());
  await ask(port, { path: "/api/x" });
  const [status, headers, own] = await seen;
  expect([status, own]).toEqual([201, "1"]);
  expect(headers).toMatchObject({ "x-up": "1", "x-sent": "1", "set-cookie": ["csrf=1", "session=2"] });
});

describe("the body streams as without hooks", () => {
  test("byte for byte, at any length", async () => {
    const app = createApp();
    setCookies(app);
    const body = patterned(5_000_000);
    const port = await register(
      app,
      (_req, res) => void res.writeHead(200, { "content-length": body.length }).end(body),
    );
    const response = await ask(port, { path: "/api/x" });
    expect([response.headers["set-cookie"], sha256(response.body)]).toEqual([["csrf=1", "session=2"], sha256(body)]);
  });

  test("chunk by chunk, the first before the second has arrived", async () => {
    const app = createApp();
    setCookies(app);
    const port = await register(app, (_req, res) => {
      res.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n");
      onTestFinished(() => void res.destroy());
    });
    const req = http.get({ port, host: "127.0.0.1", path: "/api/x" });
    const [res] = (await once(req, "response")) as [http.IncomingMessage];
    expect(String((await once(res, "data"))[0])).toBe("data: 1\n\n");
    expect(res.headers["set-cookie"]).toEqual(["csrf=1", "session=2"]);
    req.destroy();
  });

  test("cut off when the upstream breaks off, at any moment", async () => {
    for (const first of ["", "x".repeat(10), "x".repeat(100_000)]) {
      const app = createApp();
      setCookies(app);
      const port = await register(
        app,
        (_req, res) => {
          res.writeHead(200, { "content-length": 200_000 });
          res.write(first, () => res.destroy());
        },
        { retry: { attempts: 0 } },
      );
      const text = await talk(port, get);
      // Nothing of it was written, or less than its Content-Length.
      if (!text.startsWith("HTTP/1.1 502 ")) expect(text.split("\r\n\r\n")[1]?.length ?? 0).toBeLessThan(200_000);
    }
  });

  test("with the trailers that the client accepts", async () => {
    const app = createApp();
    setCookies(app);
    const port = await register(app, (_req, res) => {
      res.writeHead(200, { Trailer: "X-Sum" }).write("body");
      res.addTrailers({ "X-Sum": "7" });
      res.end();
    });
    const text = await talk(port, get.replace("Connection: close", "TE: trailers\r\nConnection: close, TE"));
    expect(text).toMatch(/set-cookie: session=2\r\n/);
    expect(text).toMatch(/\r\n0\r\nX-Sum: 7\r\n\r\n$/i);
  });

  test("on a connection with several requests, pipelined ones included", async () => {
    const app = createApp();
    setCookies(app);
    const port = await register(app, (req, res) => void res.end(`<${req.url}>`));
    const first = get.replace("Connection: close\r\n", "");
    const text = await talk(port, `${first.replace("/x", "/1")}${first.replace("/x", "/2")}${get.replace("/x", "/3")}`);
    expect(text.match(/<[^>]*>/g)).toEqual(["</1>", "</2>", "</3>"]);
    expect(text.match(/session=2/g)).toHaveLength(3);
  });

  test("and a client that disconnects while hooks run leaves nothing behind", async () => {
    const app = createApp();
    const held = new Promise<() => void>((resolve) => {
      app.addHook("onSend", () => new Promise<void>((release) => resolve(release)));
    });
    const port = await register(app);
    const finished = nextRequest(app.evenkeel);
    const req = http.get({ port, host: "127.0.0.1", path: "/api/x" }).on("error", () => {});
    const release = await held;
    req.destroy();
    expect(await finished).toMatchObject({ status: 499 });
    release();
    await app.close();
    expect(app.evenkeel.snapshot().pools).toMatchObject([{ upstreams: [{ inFlight: 0 }] }]);
  });
});

describe("a hook that fails or replies itself", () => {
  test.each([
    [
      "throws",
      () => {
        throw new Error("no session store");
      },
      500,
      /no session store/,
    ],
    [
      "rejects",
      async () => {
        throw new Error("no session store");
      },
      500,
      /no session store/,
    ],
    ["replies", async () => "instead", 200, /^instead$/],
  ])("%s: the client gets that response, and nothing of the upstream's", async (_what, hook, status, said) => {
    const app = createApp();
    let runs = 0;
    app.addHook("onSend", async (_request, _reply, payload) => (runs++ === 0 ? hook() : payload));
    const port = await register(app, (_req, res) => {
      res.writeHead(200, { "content-type": "text/plain", "content-encoding": "gzip", "content-length": 300_000 });
      res.end("x".repeat(300_000));
    });
    const finished = nextRequest(app.evenkeel);
    const response = await ask(port, { path: "/api/x" });
    expect([response.status, response.headers["content-encoding"]]).toEqual([status, undefined]);
    expect(response.body.toString()).toMatch(said);
    expect(await finished).toMatchObject({ status });
    expect(app.evenkeel.snapshot().pools).toMatchObject([{ upstreams: [{ inFlight: 0 }] }]);
  });

  test("sets an invalid header: 500", async () => {
    const app = createApp();
    app.addHook("onSend", async (_request, reply, payload) => {
      if (reply.statusCode === 200) reply.header("x-bad", "a\r\nb");
      else reply.removeHeader("x-bad");
      return payload;
    });
    expect((await ask(await register(app), { path: "/api/x" })).status).toBe(500);
  });
});

describe("handshakes", () => {
  test("have the headers that hooks have set, accepted and rejected", async () => {
    const { url } = await startEcho();
    const app = createApp();
    setCookies(app);
    await app.register(evenkeel, { prefix: "/api", upstreams: [url], closeTimeout });
    const { url: refusing } = await startUpstream(
      "b",
      (_req, res) => void res.setHeader("Set-Cookie", "up=3").writeHead(403).end(),
    );
    await app.register(evenkeel, { prefix: "/no", upstreams: [refusing], closeTimeout });
    const port = await serve(app);
    const socket = new WebSocket(`ws://127.0.0.1:${port}/api/chat`);
    onTestFinished(() => socket.terminate());
    const [[{ headers }]] = (await Promise.all([once(socket, "upgrade"), once(socket, "open")])) as unknown as [
      [http.IncomingMessage],
    ];
    expect([headers["set-cookie"], headers["x-sent"]]).toEqual([["csrf=1", "session=2"], "1"]);
    const refused = await refusal(port, "/no/chat");
    expect([refused.statusCode, refused.headers["set-cookie"]]).toEqual([403, ["csrf=1", "session=2", "up=3"]]);
  });

  test("without onSend hooks have the headers that other hooks have set", async () => {
    const { url } = await startEcho();
    const app = createApp();
    app.addHook(
      "preHandler",
      async (_request, reply) => void reply.header("set-cookie", "csrf=1").header("connection", "x"),
    );
    await app.register(evenkeel, { prefix: "/api", upstreams: [url], closeTimeout });
    const socket = new WebSocket(`ws://127.0.0.1:${await serve(app)}/api/chat`);
    onTestFinished(() => socket.terminate());
    const [[{ headers }]] = (await Promise.all([once(socket, "upgrade"), once(socket, "open")])) as unknown as [
      [http.IncomingMessage],
    ];
    expect([headers["set-cookie"], headers.connection]).toEqual([["csrf=1"], "Upgrade"]);
  });

  test("get the app's error response when a hook fails", async () => {
    const { url, requests } = await startEcho();
    const app = createApp();
    let runs = 0;
    app.addHook("onSend", async () => {
      if (runs++ === 0) throw new Error("no session store");
    });
    await app.register(evenkeel, { prefix: "/api", upstreams: [url], closeTimeout });
    const port = await serve(app);
    expect(await talk(port, `GET /api/chat HTTP/1.1\r\n${handshake}`)).toMatch(/^HTTP\/1\.1 500 [^]*no session store/);
    expect(requests).toEqual([]);
  });
});
