import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, Server as NetServer } from "node:net";
import path from "node:path";
import { parseConfig } from "@evenkeel/config";
import fastifyHttpProxy from "@fastify/http-proxy";
import { createProxy, type ProxyOptions } from "evenkeel";
import fastify from "fastify";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { connect, echo, startEcho } from "../packages/core/test/support/adapter-contract.ts";
import {
  type Asking,
  ask,
  askSeen,
  closeServer,
  listen,
  startUpstream,
} from "../packages/core/test/support/adapter-lab.ts";
import { rawClient } from "../packages/core/test/support/client.ts";

const folder = path.join(import.meta.dirname, "migrating");
const peers = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
const page = readFileSync(new URL("../docs/migrating.md", import.meta.url), "utf8");
/** Ephemeral ports are higher, so no other process listens there. */
const nobody = "http://127.0.0.1:1";
const authorization = "Bearer open sesame";

/** The parts of a request that an upstream must get from both snippets. */
interface Outcome {
  readonly status: number;
  readonly upstream?: string;
  readonly method?: string;
  readonly url?: string;
  readonly sha256?: string;
  readonly host?: string;
  readonly gateway?: string;
}

/** The snippet with the addresses of this test instead of the printed ones. */
function withAddresses(file: string, upstreams: readonly string[]): string {
  const text = readFileSync(path.join(folder, file), "utf8").replace("8080", "0");
  return upstreams.reduce((all, url, index) => all.replaceAll(`127.0.0.1:${3001 + index}`, new URL(url).host), text);
}

/** Runs a snippet of the page, and returns the port that it listens on. */
async function run(file: string, upstreams: readonly string[]): Promise<number> {
  const scratch = mkdtempSync(path.join(folder, ".run-"));
  onTestFinished(() => rmSync(scratch, { recursive: true }));
  const copy = path.join(scratch, path.basename(file));
  writeFileSync(copy, withAddresses(file, upstreams));
  const listening = vi.spyOn(NetServer.prototype, "listen");
  await import(copy);
  const [server] = listening.mock.contexts as [Server];
  listening.mockRestore();
  await vi.waitUntil(() => server.listening);
  onTestFinished(async () => {
    server.closeAllConnections();
    await closeServer(server);
  });
  return (server.address() as AddressInfo).port;
}

async function outcomeOf(port: number, asking: Asking): Promise<Outcome> {
  const { status, body } = await ask(port, asking);
  const text = body.toString();
  if (status !== 200 || !text.startsWith("{")) return { status };
  const { upstream, method, url, sha256, headers } = JSON.parse(text) as Awaited<ReturnType<typeof askSeen>>;
  return {
    status,
    upstream,
    method,
    url,
    sha256,
    ...(headers.host !== undefined && { host: headers.host }),
    gateway: String(headers["x-gateway"]),
  };
}

/** Sends the same requests to both snippets, one after the other, with the same upstreams. */
async function compare(peer: string, upstreams: readonly string[], askings: readonly Asking[]): Promise<Outcome[]> {
  const [before, after] = [await run(`${peer}/before.js`, upstreams), await run(`${peer}/after.ts`, upstreams)];
  const outcomes: Outcome[] = [];
  for (const asking of askings) {
    const outcome = await outcomeOf(after, asking);
    expect(outcome, JSON.stringify(asking)).toEqual(await outcomeOf(before, asking));
    outcomes.push(outcome);
  }
  return outcomes;
}

const json = { "content-type": "application/json" };

describe("the snippets do the same before and after", () => {
  test("http-proxy", async () => {
    const [one, two] = [await startUpstream("one"), await startUpstream("two")];
    const outcomes = await compare(
      "http-proxy",
      [one.url, two.url],
      [
        { path: "/users?page=2" },
        { path: "/a%2Fb/c;v=1" },
        { method: "POST", path: "/orders", body: '{"id":1}', headers: json },
        { method: "PUT", path: "/orders/1", body: "x".repeat(100_000), chunked: true },
      ],
    );
    expect(outcomes.map(({ status, upstream, url, gateway }) => [status, upstream, url, gateway])).toEqual([
      [200, "one", "/users?page=2", "shop"],
      [200, "two", "/a%2Fb/c;v=1", "shop"],
      [200, "one", "/orders", "shop"],
      [200, "two", "/orders/1", "shop"],
    ]);
  });

  test("http-proxy, tunnels and an upstream that is down", async () => {
    const [one, two] = [await startEcho(), await startEcho()];
    for (const file of ["http-proxy/before.js", "http-proxy/after.ts"]) {
      const port = await run(file, [one.url, two.url]);
      expect(await echo(await connect(port, "/chat"), "hello")).toEqual([Buffer.from("hello"), false]);
      const down = await run(file, [nobody, "http://127.0.0.2:1"]);
      const { status, body } = await ask(down, {});
      expect([status, body.toString()]).toEqual([502, "the shop is closed\n"]);
    }
  });

  test("http-proxy sends every other request to an upstream that is down, Evenkeel none", async () => {
    const up = await startUpstream("up");
    const statuses = async (file: string) => {
      const port = await run(file, [nobody, up.url]);
      const found = [];
      for (let count = 0; count < 4; count++) found.push((await ask(port, { method: "POST", body: "x" })).status);
      return found;
    };
    expect(await statuses("http-proxy/before.js")).toEqual([502, 200, 502, 200]);
    expect(await statuses("http-proxy/after.ts")).toEqual([200, 200, 200, 200]);
  });

  test("http-proxy-middleware", async () => {
    const [shop, admin] = [await startUpstream("shop"), await startUpstream("admin")];
    const outcomes = await compare(
      "http-proxy-middleware",
      [shop.url, admin.url],
      [
        { path: "/api/users?page=2" },
        { path: "/api/orders/7" },
        { path: "/api/orders/7", headers: { host: "admin.shop.test" } },
        { method: "POST", path: "/api/users", body: '{"id":1}', headers: json },
        { path: "/api/else" },
        { path: "/users" },
      ],
    );
    expect(outcomes.map(({ status, upstream, url }) => [status, upstream, url])).toEqual([
      [200, "shop", "/users?page=2"],
      [200, "shop", "/v1/orders/7"],
      [200, "admin", "/v1/orders/7"],
      [200, "shop", "/users"],
      [404, undefined, undefined],
      [404, undefined, undefined],
    ]);
  });

  test("@fastify/http-proxy", async () => {
    const shop = await startUpstream("shop");
    const outcomes = await compare(
      "fastify-http-proxy",
      [shop.url],
      [
        { path: "/api/users?page=2", headers: { authorization } },
        { path: "/api/users" },
        { method: "POST", path: "/api/orders", body: '{"id":1}', headers: { ...json, authorization } },
        { path: "/else", headers: { authorization } },
      ],
    );
    expect(outcomes.map(({ status, url, gateway }) => [status, url, gateway])).toEqual([
      [200, "/v1/users?page=2", "shop"],
      [401, undefined, undefined],
      [200, "/v1/orders", "shop"],
      [404, undefined, undefined],
    ]);
  });

  test("express-http-proxy", async () => {
    const shop = await startUpstream("shop");
    const outcomes = await compare(
      "express-http-proxy",
      [shop.url],
      [
        { path: "/api/users?page=2" },
        { method: "POST", path: "/api/orders", body: '{"id":1}', headers: json },
        { method: "DELETE", path: "/api/orders/1" },
      ],
    );
    expect(outcomes.map(({ status, url, gateway }) => [status, url, gateway])).toEqual([
      [200, "/v1/users?page=2", "shop"],
      [200, "/v1/orders", "shop"],
      [404, undefined, undefined],
    ]);
    for (const file of ["express-http-proxy/before.js", "express-http-proxy/after.ts"]) {
      const { headers } = await ask(await run(file, [shop.url]), { path: "/api/users" });
      expect(headers["cache-control"]).toBe("no-store");
    }
  });

  test("nginx", async () => {
    const [one, two, spare] = [await startUpstream("one"), await startUpstream("two"), await startUpstream("spare")];
    const { options } = parseConfig(withAddresses("nginx/after.toml", [one.url, two.url, spare.url]), {
      file: "after.toml",
    });
    const proxy = createProxy(options);
    onTestFinished(() => proxy.close({ timeout: "0s" }));
    const port = await listen(createServer(proxy.handler));
    const seen = [];
    for (let count = 0; count < 8; count++) seen.push(await askSeen(port, { path: "/api/users?page=2" }));
    // In the order of nginx's own smooth weighted round robin.
    const turns = ["one", "one", "two", "one"];
    expect(seen.map(({ upstream }) => upstream)).toEqual([...turns, ...turns]);
    expect(seen[0]).toMatchObject({ url: "/users?page=2", headers: { host: `127.0.0.1:${port}` } });
    expect((await ask(port, { path: "/else" })).status).toBe(404);
    expect((await ask(port, { method: "POST", path: "/api/", headers: { "content-length": 11_000_000 } })).status).toBe(
      413,
    );
  });
});

describe("what the page says beside the snippets", () => {
  /** An upstream that closes a number of connections without a response before it responds. */
  async function startHangingUp(times: number) {
    let left = times;
    const server = new NetServer((socket) => {
      socket
        .on("error", () => {})
        .once("data", () => {
          if (left-- > 0) socket.end();
          else socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async function statusOfFastify(upstream: string, retriesCount: number): Promise<number> {
    const app = fastify();
    await app.register(fastifyHttpProxy, { upstream, replyOptions: { retriesCount } });
    await app.listen({ port: 0, host: "127.0.0.1" });
    onTestFinished(() => app.close());
    return (await ask((app.server.address() as AddressInfo).port)).status;
  }

  async function serve(options: ProxyOptions, server = createServer()): Promise<number> {
    const proxy = createProxy(options);
    onTestFinished(() => proxy.close({ timeout: "0s" }));
    return listen(server.on("request", proxy.handler).on("clientError", proxy.clientError));
  }

  test("retriesCount is about connections that are closed without a response, and not about refused ones", async () => {
    expect(await statusOfFastify(await startHangingUp(2), 0)).toBe(500);
    expect(await statusOfFastify(await startHangingUp(2), 2)).toBe(200);
    expect(await statusOfFastify(nobody, 2)).toBe(500);
    const upstreams = [await startHangingUp(2)];
    expect((await ask(await serve({ upstreams }))).status).toBe(200);
    const once = { upstreams: [await startHangingUp(2)], retry: { attempts: 1 } };
    expect((await ask(await serve(once))).status).toBe(502);
  });

  test("a 503 is repeated by @fastify/http-proxy unless retriesCount is set, and by Evenkeel when retry.on says so", async () => {
    const startBusy = async () => {
      let left = 1;
      return (await startUpstream("a", (_req, res) => void res.writeHead(left-- > 0 ? 503 : 200).end())).url;
    };
    expect(await statusOfFastify(await startBusy(), 0)).toBe(200);
    expect(await statusOfFastify(await startBusy(), 1)).toBe(503);
    expect((await ask(await serve({ upstreams: [await startBusy()] }))).status).toBe(503);
    expect((await ask(await serve({ upstreams: [await startBusy()], retry: { on: [503] } }))).status).toBe(200);
  });

  test("Via is sent, and a route can remove it", async () => {
    const { url } = await startUpstream();
    const seen = async (options: object) => (await askSeen(await serve({ upstreams: [url], ...options }))).headers;
    expect(await seen({})).toMatchObject({ via: "1.1 evenkeel" });
    expect(await seen({ routes: [{ requestHeaders: { remove: ["Via"] } }] })).not.toHaveProperty("via");
  });

  test("the requestTimeout of the server in front ends a long upload, and 0 lets it go on", async () => {
    expect(createServer().requestTimeout).toBe(300_000);
    expect(fastify().server.requestTimeout).toBe(0);
    const { url } = await startUpstream("a", (req, res) => void req.resume().on("end", () => res.end()));
    const upload = async (requestTimeout: number) => {
      const server = createServer({ requestTimeout, connectionsCheckingInterval: 50 });
      const port = await serve({ upstreams: [url] }, server);
      const client = await rawClient(
        port,
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 10\r\n\r\n",
      );
      const response = client.over();
      // A byte from time to time, for longer than the limit of the server.
      for (let count = 0; count < 10 && !client.socket.destroyed; count++) {
        client.socket.write("x");
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return (await response).text.split(" ")[1];
    };
    expect(await upload(200)).toBe("408");
    expect(await upload(0)).toBe("200");
  });
});

describe("the document", () => {
  test("has exactly the snippets that these tests run", () => {
    const shown = [...page.matchAll(/^```(?:js|ts|toml|nginx)\n(.*?)^```$/gms)].map(([, text]) => text);
    const files = peers.flatMap(({ name }) =>
      readdirSync(path.join(folder, name)).map((file) => path.join(name, file)),
    );
    expect(files).toHaveLength(10);
    const texts = files.map((file) => readFileSync(path.join(folder, file), "utf8"));
    expect(shown.toSorted()).toEqual(texts.toSorted());
  });
});
