import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import { createProxy, type ProxyOptions, type RequestEvent } from "../../src/index.ts";
import { rawClient } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { startRawUpstream } from "../support/start-upstream.ts";
import { handshake } from "../support/web-sockets.ts";

interface App {
  readonly server: Server;
  readonly port: number;
  /** The heads that the upstream has got, as lines. */
  heads(): string[][];
  readonly events: RequestEvent[];
}

/** An app that changes requests and hands them to the proxy, in front of an upstream that responds to everything with 204. */
async function startApp(
  change: (req: IncomingMessage) => void,
  options: Partial<ProxyOptions> = {},
  response = "HTTP/1.1 204 No Content\r\n\r\n",
): Promise<App> {
  const upstream = await startRawUpstream((socket) => void socket.write(response));
  const proxy = createProxy({
    ...("pools" in options ? {} : { upstreams: [upstream.url] }),
    ...options,
  } as ProxyOptions);
  const events: RequestEvent[] = [];
  proxy.on("request", (event) => void events.push(event));
  const server = createServer((req, res) => {
    change(req);
    proxy.handler(req, res);
  });
  server.on("upgrade", (req, socket, head) => {
    change(req);
    proxy.upgrade(req, socket, head);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  onTestFinished(async () => {
    server.close();
    server.closeAllConnections();
    await proxy.close({ timeout: "0ms" });
  });
  const { port } = server.address() as AddressInfo;
  return { server, port, events, heads: () => upstream.heads.map((head) => head.split("\r\n")) };
}

/** Sends a request of these lines, and a handshake of the same; gives what the upstream got of each. */
async function seenOf(app: App, lines: readonly string[]): Promise<[request: string[], upgrade: string[]]> {
  const text = lines.map((line) => `${line}\r\n`).join("");
  const request = await rawClient(app.port, Buffer.from(`GET / HTTP/1.1\r\nHost: h\r\n${text}\r\n`, "latin1"));
  await request.until(/\r\n\r\n/);
  const bytes = handshake()
    .replace(/^Host: .*$/im, "Host: h")
    .replace(/\r\n\r\n$/, `\r\n${text}\r\n`);
  const upgrade = await rawClient(app.port, Buffer.from(bytes, "latin1"));
  await upgrade.until(/\r\n\r\n/);
  return app.heads() as [string[], string[]];
}

const own = /^(?:GET|Host|X-Forwarded-|X-Request-Id|Via|Connection|Upgrade|Sec-WebSocket)/i;

describe("what an app decides in req.headers goes on, for requests and handshakes", () => {
  test("set, replaced and deleted; the rest as it came", async () => {
    const app = await startApp(({ headers }) => {
      headers["x-user-id"] = "42";
      headers.authorization = "Bearer internal";
      delete headers["x-role"];
      headers["X-List"] = ["1", "2"];
    });
    const lines = [
      "x-ROLE: admin",
      "X-b: 1",
      "AUTHORIZATION: Bearer mine",
      "x-B: 2",
      "X-Role: admin",
      "X-8: \xff",
      "X-b: 3",
    ];
    for (const head of await seenOf(app, lines)) {
      const passed = head.filter((line) => line !== "" && !own.test(line));
      const expected = ["AUTHORIZATION: Bearer internal", "x-user-id: 42", "X-8: \xff", "X-List: 1", "X-List: 2"];
      expect(passed.filter((line) => !/^x-b/i.test(line)).sort()).toEqual(expected.sort());
      // Handshakes keep the letter case of the first alone.
      const repeated = passed.filter((line) => /^x-b/i.test(line));
      expect(repeated.map((line) => line.toLowerCase())).toEqual(["x-b: 1", "x-b: 2", "x-b: 3"]);
      expect(head.join("\n")).not.toMatch(/role|mine/i);
    }
    expect(app.heads()[0]?.filter((line) => /^x-b/i.test(line))).toEqual(["X-b: 1", "x-B: 2", "X-b: 3"]);
  });

  test("the client's Connection does not take off what the app has set, and still takes off what the client sent", async () => {
    const app = await startApp(({ headers }) => {
      headers["x-user-id"] = "42";
      delete headers.connection;
    });
    const lines = ["Connection: X-User-Id, X-Hop, X-Deleted", "X-User-Id: root", "X-Hop: 1"];
    const [request] = await seenOf(app, lines);
    expect(request).toContain("X-User-Id: 42");
    expect(request?.join("\n")).not.toMatch(/root|x-hop/i);
  });

  test("an alias of what the app has decided on does not pass beside it", async () => {
    const app = await startApp(({ headers }) => {
      headers["x-user-id"] = "42";
      delete headers["x-admin"];
    });
    const lines = ["X_User_Id: root", "X.User.Id: root", "X-Admin: root", "X_Admin: root", "X_Other: 1"];
    for (const head of await seenOf(app, lines)) {
      expect(head).toContain("X_Other: 1");
      expect(head.join("\n")).not.toContain("root");
    }
  });

  test("framing and what is for one connection stay as the proxy judges them", async () => {
    const app = await startApp(({ headers }) => {
      headers["content-length"] = "100";
      headers["transfer-encoding"] = "chunked";
      headers["keep-alive"] = "timeout=1";
      headers["content_length"] = "7";
    });
    for (const head of await seenOf(app, ["TE: gzip", "X-A: 1"])) {
      expect(head).toContain("X-A: 1");
      expect(head.join("\n")).not.toMatch(/length|transfer|keep-alive|^te:/im);
    }
  });

  test("Host and what the proxy says itself are replaced, and said once", async () => {
    const app = await startApp(({ headers }) => {
      headers.host = "tenant.internal";
      headers["x-forwarded-for"] = "192.0.2.1";
      headers["x-forwarded-proto"] = "https";
      headers["x-request-id"] = "mine";
      headers.via = "1.1 app";
    });
    for (const head of await seenOf(app, ["X-Forwarded-For: 6.6.6.6", "Via: 1.0 client"])) {
      const lines = head.filter((line) => /^(?:host|x-forwarded-|x-request-id|via)/i.test(line));
      expect(lines.map((line) => line.replace(/^[^:]*/, (name) => name.toLowerCase())).sort()).toEqual([
        "host: tenant.internal",
        "via: 1.1 app",
        "x-forwarded-for: 192.0.2.1",
        "x-forwarded-host: h",
        "x-forwarded-port: 80",
        "x-forwarded-proto: https",
        "x-request-id: mine",
      ]);
    }
    expect(app.events[0]?.requestId).toBe("mine");
  });

  test("a trusted peer's claims that the app has deleted are not believed, and claims that it makes pass", async () => {
    const app = await startApp(
      ({ headers }) => {
        delete headers["x-forwarded-for"];
        headers["x-forwarded-user"] = "ann";
      },
      { trustedProxies: ["127.0.0.1"] },
    );
    for (const head of await seenOf(app, ["X-Forwarded-For: 192.0.2.1", "X-Forwarded-User: root"])) {
      expect(head).toContain("X-Forwarded-For: 127.0.0.1");
      expect(head).toContain("X-Forwarded-User: ann");
    }
    expect(app.events[0]?.client).toBe("127.0.0.1");
  });

  test("a Host that the app has set decides on the route, one that it has deleted becomes the upstream's", async () => {
    const upstream = await startRawUpstream((socket) => void socket.write("HTTP/1.1 204 No Content\r\n\r\n"));
    const pools = { a: { upstreams: [upstream.url] } };
    const renamed = await startApp(({ headers }) => (headers.host = "a.example"), {
      pools,
      routes: [{ host: "a.example", pool: "a" }],
    } as Partial<ProxyOptions>);
    const client = await rawClient(renamed.port, "GET http://h/x HTTP/1.1\r\nHost: h\r\n\r\n");
    await client.until(/^HTTP\/1\.1 204/);
    expect(upstream.heads[0]).toMatch(/^GET \/x HTTP\/1\.1\r\nHost: a\.example\r\n/i);
    const app = await startApp(({ headers }) => delete headers.host);
    for (const head of await seenOf(app, [])) expect(head[1]).toMatch(/^Host: 127\.0\.0\.1:\d+$/i);
  });

  test.each([
    ["a line break", (req: IncomingMessage) => (req.headers["x-a"] = "1\r\nX-B: 2")],
    ["a name that is none", (req: IncomingMessage) => (req.headers["x a"] = "1")],
    ["a Host that is none", (req: IncomingMessage) => (req.headers.host = "a b")],
  ])("%s is the app's mistake: 500, and nothing is sent", async (_what, change) => {
    const app = await startApp((req) => void change(req));
    for (const bytes of ["GET / HTTP/1.1\r\nHost: h\r\n\r\n", handshake()]) {
      const client = await rawClient(app.port, bytes);
      await client.until(/\r\n\r\n/);
      expect(client.text).toMatch(/^HTTP\/1\.1 500 /);
    }
    expect(app.heads()).toEqual([]);
    expect(app.events.map(({ error }) => error)).toEqual(["request_hook_failed", "request_hook_failed"]);
  });

  test("lines that the app could not see are not passed on behind its back", async () => {
    const app = await startApp(({ headers }) => delete headers["x-admin"]);
    app.server.maxHeadersCount = 3;
    const lines = ["X-A: 1", "X-B: 1", "X-Admin: 1"];
    const client = await rawClient(app.port, `GET / HTTP/1.1\r\nHost: h\r\n${lines.join("\r\n")}\r\n\r\n`);
    await client.until(/\r\n\r\n/);
    expect(client.text).toMatch(/^HTTP\/1\.1 431 /);
    expect(app.heads()).toEqual([]);
  });
});

test("what an app sets while a pipelined request waits for its turn is forwarded", async () => {
  const app = await startApp((req) => {
    if (req.url === "/last") queueMicrotask(() => Object.assign(req.headers, { "x-user": "7" }));
  });
  const ahead = "GET / HTTP/1.1\r\nHost: h\r\n\r\n".repeat(2 * limits.pipelinedRequests);
  await rawClient(app.port, `${ahead}GET /last HTTP/1.1\r\nHost: h\r\n\r\n`);
  const last = () => app.heads().find(([line]) => line === "GET /last HTTP/1.1");
  await until(() => last() !== undefined);
  expect(last()).toContain("x-user: 7");
});

test("an app that deletes Transfer-Encoding from req.headers does not lift the limit on padded chunks", async () => {
  const app = await startApp((req) => void delete req.headers["transfer-encoding"], {}, "");
  const flood = `1;${"a".repeat(4_094)}\r\nx\r\n`.repeat(2_500);
  const client = await rawClient(app.port, `POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${flood}`);
  expect(await client.until(/^HTTP\/1\.1 \d+/)).toContain("400");
});
