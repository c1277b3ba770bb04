import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect as connectTo } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { cert, key } from "../support/certificates.ts";
import { ask, transportTo } from "../support/exchanges.ts";
import { echo, rawUpstream } from "../support/raw-upstream.ts";
import { refusingPort } from "../support/refusing-port.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

describe("connecting", () => {
  test("to a closed port is refused", async () => {
    const port = await refusingPort();
    const exchange = await ask(transportTo(port), "/").ended();
    expect(exchange.failure).toMatchObject({ code: "connect_refused", reused: false, sent: false });
  });

  test("to an unknown name fails with dns_failed", async () => {
    const exchange = await ask(transportTo(80, { address: { hostname: "nowhere.invalid" } }), "/").ended();
    expect(exchange.failure).toMatchObject({ code: "dns_failed", sent: false });
  });

  test("to an invalid address fails, and does not throw", async () => {
    const tooLong = path.join(tmpdir(), "x".repeat(300));
    for (const address of [
      { port: 70_000 },
      { port: -1 },
      { socketPath: "" },
      { socketPath: "\0" },
      { socketPath: tooLong },
    ]) {
      const exchange = await ask(transportTo(1, { address }), "/").ended();
      expect(["connect_failed", "connect_refused"]).toContain(exchange.failure?.code);
      expect(exchange.failure).toMatchObject({ reused: false, sent: false });
    }
  });

  test("to a full backlog ends in time", async () => {
    const { port } = await startDeafListener();
    // Fills the backlog, and one more hangs: only then no other connection is accepted.
    const fillers = Array.from({ length: 8 }, () => connectTo(port, "127.0.0.1").on("error", () => {}));
    onTestFinished(() => {
      for (const filler of fillers) filler.destroy();
    });
    await Promise.race(fillers.map((filler) => new Promise((resolve) => filler.once("connect", resolve))));
    const clock = new VirtualClock();
    const exchange = ask(transportTo(port, { runtime: { clock }, timeouts: { connect: "1s" } }), "/");
    clock.advance(999);
    expect(exchange.over).toBe(false);
    clock.advance(21);
    expect((await exchange.ended()).failure).toMatchObject({ code: "connect_timeout", sent: false });
  });

  test("over IPv6 works where there is a ::1, and is a connect failure where there is none", async () => {
    const there = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === "::1"));
    const upstream = await rawUpstream({ onRequest: echo, listen: there ? { port: 0, host: "::1" } : { port: 0 } });
    const exchange = await ask(transportTo(upstream.port, { address: { hostname: "::1" } }), "/six").ended();
    if (there) expect(exchange).toMatchObject({ phase: "complete", body: "/six" });
    else expect(["connect_failed", "connect_refused"]).toContain(exchange.failure?.code);
  });

  test("by a name reaches the address that accepts", async () => {
    const upstream = await rawUpstream({ onRequest: echo });
    const exchange = await ask(transportTo(upstream.port, { address: { hostname: "localhost" } }), "/name").ended();
    expect(exchange).toMatchObject({ phase: "complete", body: "/name" });
  });

  test("to a unix socket works, and keeps the connection", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "wire-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const socketPath = path.join(folder, "app.sock");
    const upstream = await rawUpstream({ onRequest: echo, listen: { path: socketPath } });
    const clock = new VirtualClock();
    const transport = transportTo(0, { address: { socketPath, hostname: "" }, runtime: { clock } });
    expect(await ask(transport, "/1", { method: "PUT", body: "hello" }).ended()).toMatchObject({ body: "/1" });
    clock.advance(10);
    expect(await ask(transport, "/2").ended()).toMatchObject({ body: "/2", connectMs: undefined });
    expect(upstream.sockets).toHaveLength(1);

    const gone = transportTo(0, { address: { socketPath: `${socketPath}.gone`, hostname: "" } });
    expect((await ask(gone, "/").ended()).failure).toMatchObject({ code: "connect_failed", sent: false });
  });
});

describe("TLS", () => {
  const tls = { cert, key };

  test("works with the right name and a known authority, and keeps the connection", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ tls, onRequest: echo });
    for (const hostname of ["localhost", "127.0.0.1"]) {
      const transport = transportTo(upstream.port, {
        address: { tls: true, hostname },
        tls: { ca: cert },
        runtime: { clock },
      });
      const before = upstream.sockets.length;
      const large = "x".repeat(200_000);
      expect(await ask(transport, "/1", { method: "PUT", body: large }).ended()).toMatchObject({
        phase: "complete",
        body: "/1",
      });
      clock.advance(10);
      expect(await ask(transport, "/2").ended()).toMatchObject({ body: "/2", connectMs: undefined });
      expect(upstream.sockets).toHaveLength(before + 1);
    }
  });

  test("offers HTTP/1.1", async () => {
    const upstream = await rawUpstream({ tls: { ...tls, ALPNProtocols: ["h2", "http/1.1"] }, onRequest: echo });
    const transport = transportTo(upstream.port, { address: { tls: true, hostname: "localhost" }, tls: { ca: cert } });
    await ask(transport, "/").ended();
    expect(upstream.sockets[0]).toMatchObject({ alpnProtocol: "http/1.1", servername: "localhost" });
  });

  test.each([
    ["an unknown authority", { tls: true, hostname: "localhost" }, {}],
    ["a wrong name", { tls: true, hostname: "127.0.0.1" }, { ca: cert, servername: "api.internal" }],
    ["a client certificate that is none", { tls: true, hostname: "localhost" }, { ca: cert, cert: "x", key: "y" }],
  ])("fails with %s, and nothing is sent", async (_, address, options) => {
    const upstream = await rawUpstream({ tls, onRequest: echo });
    const exchange = await ask(transportTo(upstream.port, { address, tls: options }), "/").ended();
    expect(exchange.failure).toMatchObject({ code: "tls_failed", reused: false, sent: false });
    expect(upstream.requests).toEqual([]);
  });

  test("may skip verification, and may use another server name", async () => {
    const upstream = await rawUpstream({ tls, onRequest: echo });
    const address = { tls: true, hostname: "127.0.0.1" };
    for (const options of [
      { verify: false },
      { verify: false, servername: "api.internal" },
      { ca: cert, servername: "localhost" },
    ]) {
      const exchange = await ask(transportTo(upstream.port, { address, tls: options }), "/a").ended();
      expect(exchange).toMatchObject({ phase: "complete", body: "/a" });
    }
  });

  test("verifies an address as server name without a warning", async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on("warning", note);
    onTestFinished(() => void process.off("warning", note));
    const upstream = await rawUpstream({ tls, onRequest: echo });
    const right = { address: { tls: true, hostname: "localhost" }, tls: { ca: cert, servername: "127.0.0.1" } };
    expect(await ask(transportTo(upstream.port, right), "/a").ended()).toMatchObject({ body: "/a" });
    const wrong = { address: { tls: true, hostname: "localhost" }, tls: { ca: cert, servername: "127.0.0.2" } };
    expect((await ask(transportTo(upstream.port, wrong), "/b").ended()).failure?.code).toBe("tls_failed");
    expect(warnings).toEqual([]);
  });

  test.each([
    ["speaks plain HTTP", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"],
    ["answers before the handshake", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"],
    ["sends an alert", "\x15\x03\x03\x00\x02\x02\x28"],
  ])("fails with an upstream that %s", async (_, bytes) => {
    const upstream = await rawUpstream({ onConnection: (socket) => socket.end(bytes, "latin1") });
    const exchange = await ask(transportTo(upstream.port, { address: { tls: true } }), "/").ended();
    expect(exchange.failure).toMatchObject({ code: "tls_failed", reused: false, sent: false });
    await upstream.until(() => upstream.open === 0);
  });

  test.each(["end", "resetAndDestroy"] as const)(
    "fails with an upstream that closes by %s before or within the handshake",
    async (how) => {
      for (const when of ["before", "in"]) {
        const upstream = await rawUpstream({
          onConnection: (socket) => {
            if (when === "before") socket[how]();
            else socket.once("data", () => socket[how]());
          },
        });
        const exchange = await ask(transportTo(upstream.port, { address: { tls: true } }), "/").ended();
        expect(exchange.failure).toMatchObject({ code: "tls_failed", reused: false, sent: false });
      }
    },
  );

  test("to a client that expects plain HTTP is an invalid response", async () => {
    const upstream = await rawUpstream({ onConnection: (socket) => socket.write("\x16\x03\x01\x02\x00", "latin1") });
    const exchange = await ask(transportTo(upstream.port), "/").ended();
    expect(exchange.failure?.code).toBe("invalid_response");
  });
});

/** Listens with the shortest queue there is, and never accepts: its event loop stands still. */
async function startDeafListener(): Promise<{ port: number; child: ChildProcess }> {
  const script = `
    const server = require("node:net").createServer();
    server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
      require("node:fs").writeSync(1, String(server.address().port));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const port = await new Promise<number>((resolve) => {
    child.stdout.once("data", (bytes: Buffer) => resolve(Number(bytes.toString())));
  });
  return { port, child };
}
