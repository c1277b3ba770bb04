import { createServer } from "node:http";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { ask } from "../../support/exchanges.ts";
import { h2cTransport } from "../../support/http2-transports.ts";
import { hasProgram, type ServerProgram, startProgram } from "../../support/server-programs.ts";

/** HAProxy over HTTP/2 with prior knowledge, in front of a backend of node:http. */
async function haproxy(streams = 100) {
  let backend = createServer();
  const server = await startProgram("haproxy", (folder, socketPath) => {
    const backendPath = path.join(folder, "backend.sock");
    backend = createServer((req, res) => {
      if (req.url === "/die") {
        // HAProxy 2.6 ends the stream, as if nothing were missing, when what its backend sends in chunks breaks off.
        res.writeHead(200, { "content-length": "100" });
        res.write("half");
        setImmediate(() => res.destroy());
      } else {
        // Not in front of an echo: HAProxy 2.6 at times ends the stream of one with what it has at the time.
        if (req.method === "HEAD") res.writeEarlyHints({ link: "</a>; rel=preload" });
        req.pipe(res.writeHead(200, { "X-Method": req.method, "Set-Cookie": ["a", "b"] }));
      }
    }).listen(backendPath);
    onTestFinished(() => {
      backend.closeAllConnections();
      backend.close();
    });
    return `
global
  tune.h2.max-concurrent-streams ${streams}
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend front
  bind unix@${socketPath} proto h2
  http-request deny deny_status 413 if { path /early }
  default_backend back
backend back
  server one unix@${backendPath}
`;
  });
  return { server, backend };
}

const socketOf = ({ socketPath }: ServerProgram) => ({ address: { socketPath } });

describe.skipIf(!hasProgram("haproxy"))("HAProxy", () => {
  test("serves all kinds of requests and bodies over one connection", async () => {
    const { server } = await haproxy();
    const transport = h2cTransport(0, socketOf(server));
    const exchanges = [
      ask(transport, "/"),
      ask(transport, "/", { method: "HEAD" }),
      ask(transport, "/", { method: "PUT", body: Buffer.alloc(2_000_000, "a") }),
      ask(transport, "/", { method: "POST", body: ["he", "llo"], bodyLength: -1 }),
      ask(transport, "/", { method: "GET", body: "query" }),
      ask(transport, "/", { headers: ["Host", "a", "Cookie", "a=1", "Cookie", "b=2", "X-Name", "J\xfcrgen"] }),
    ];
    for (const exchange of exchanges) expect(await exchange.ended()).toMatchObject({ phase: "complete", status: 200 });
    expect(exchanges.map(({ bytes }) => bytes.length)).toEqual([0, 0, 2_000_000, 5, 5, 0]);
    expect(exchanges.filter(({ connectMs }) => connectMs !== undefined)).toHaveLength(1);
    expect(exchanges[1]?.informations).toEqual([[103, ["link", "</a>; rel=preload"]]]);
  });

  test("resets the stream when its backend dies within a body, which never looks complete", async () => {
    const { server } = await haproxy();
    const transport = h2cTransport(0, socketOf(server));
    for (let count = 0; count < 10; count++) {
      const { failure, status } = await ask(transport, "/die").ended();
      if (status !== 502) expect(failure?.code).toBe("response_truncated");
    }
    expect((await ask(transport, "/").ended()).phase).toBe("complete");
  });

  test("allows few streams at a time, and more connections are opened", async () => {
    const { server } = await haproxy(3);
    const transport = h2cTransport(0, socketOf(server));
    const exchanges = Array.from({ length: 30 }, () => ask(transport, "/", { method: "POST", body: "hello" }));
    for (const exchange of exchanges)
      expect(await exchange.ended()).toMatchObject({ phase: "complete", body: "hello" });
    expect(exchanges.filter(({ connectMs }) => connectMs !== undefined).length).toBeGreaterThan(3);
  });

  test("responds before it has read the body", async () => {
    const { server } = await haproxy();
    const transport = h2cTransport(0, socketOf(server));
    for (let count = 0; count < 5; count++) {
      const exchange = ask(transport, "/early", { method: "POST", body: Buffer.alloc(3_000_000) });
      expect(await exchange.ended()).toMatchObject({ phase: "complete", status: 413 });
    }
  });

  test("stops gracefully after the requests in flight", async () => {
    const { server } = await haproxy();
    const transport = h2cTransport(0, socketOf(server));
    await ask(transport, "/").ended();
    const exchange = ask(transport, "/", { method: "POST", body: "he", bodyLength: 5 });
    await exchange.until(() => exchange.body === "he");
    server.process.kill("SIGUSR1");
    exchange.exchange.write(Buffer.from("llo"));
    exchange.exchange.end();
    expect(await exchange.ended()).toMatchObject({ phase: "complete", body: "hello" });
  });

  test("is killed with requests in flight", async () => {
    const { server } = await haproxy();
    const transport = h2cTransport(0, socketOf(server));
    const exchange = ask(transport, "/", { method: "POST", body: "he", bodyLength: 5 });
    await exchange.until(() => exchange.body === "he");
    server.process.kill("SIGTERM");
    expect((await exchange.ended()).failure?.code).toBe("response_truncated");
    await server.ended;
    expect((await ask(transport, "/").ended()).failure).toMatchObject({ sent: false });
  });
});
