import type * as tls from "node:tls";
import { describe, expect, test } from "vitest";
import { cert, key } from "../support/certificates.ts";
import { refusingPort } from "../support/refusing-port.ts";
import { answering, response, run, serve } from "./raw-server.ts";

const failure = (cause: RegExp) => ({ ok: false, reason: "tls_failed", cause: expect.stringMatching(cause) });

describe("tcp", () => {
  test("only connects and sends nothing", async () => {
    let received = 0;
    const server = await serve((socket) => socket.on("data", (bytes) => (received += bytes.length)));
    const result = await run(`http://127.0.0.1:${server.port}`, { check: { type: "tcp" } });
    expect(result).toEqual({ ok: true, reason: "connected" });
    await server.closed();
    expect(received).toBe(0);
  });

  test("to an https upstream includes the handshake", async () => {
    const secure = await serve(() => {}, { tlsOptions: { cert, key } });
    const check = { type: "tcp" } as const;
    const plain = await serve((socket) => socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")));
    expect(await run(`https://127.0.0.1:${plain.port}`, { check })).toEqual(
      failure(/^wrong version number \(ERR_SSL_/),
    );
    expect(await run(`https://127.0.0.1:${secure.port}`, { check })).toEqual(
      failure(/\(DEPTH_ZERO_SELF_SIGNED_CERT\)$/),
    );
    const result = await run(`https://127.0.0.1:${secure.port}`, { check, tlsOptions: { ca: cert } });
    expect(result).toEqual({ ok: true, reason: "connected" });
  });
});

describe("tls", () => {
  const respond = answering((socket) => socket.end(response("200 OK")));
  const start = (tlsOptions: tls.TlsOptions = {}) => serve(respond, { tlsOptions: { cert, key, ...tlsOptions } });
  const success = { ok: true, reason: "status 200" };

  test("a certificate of an unknown authority is rejected before the request is sent", async () => {
    let received = 0;
    const server = await serve((socket) => socket.on("data", (bytes) => (received += bytes.length)), {
      tlsOptions: { cert, key },
    });
    expect(await run(`https://127.0.0.1:${server.port}`)).toEqual(failure(/\(DEPTH_ZERO_SELF_SIGNED_CERT\)$/));
    await server.closed();
    expect(received).toBe(0);
  });

  test("the certificate is accepted with its authority in `ca`, or with `verify` false", async () => {
    const server = await start();
    const url = `https://127.0.0.1:${server.port}`;
    expect(await run(url, { tlsOptions: { ca: cert } })).toEqual(success);
    expect(await run(url, { tlsOptions: { verify: false } })).toEqual(success);
  });

  test("`servername` is sent as SNI and verified", async () => {
    const serverNames: string[] = [];
    const server = await start({
      SNICallback: (name, done) => {
        serverNames.push(name);
        done(null);
      },
    });
    const url = `https://127.0.0.1:${server.port}`;
    const probeWith = (servername: string) => run(url, { tlsOptions: { ca: cert, servername } });
    expect(await probeWith("localhost")).toEqual(success);
    expect(await probeWith("other.example.com")).toEqual(failure(/^Host: other\.example\.com\. is not in/));
    expect(await probeWith("127.0.0.1")).toEqual(success);
    expect(await probeWith("127.0.0.2")).toEqual(failure(/^IP: 127\.0\.0\.2 is not in/));
    expect(serverNames).toEqual(["localhost", "other.example.com"]);
  });

  test("a client certificate is sent", async () => {
    const server = await start({ requestCert: true, ca: cert });
    const url = `https://127.0.0.1:${server.port}`;
    expect(await run(url, { tlsOptions: { ca: cert, cert, key } })).toEqual(success);
    expect(await run(url, { tlsOptions: { ca: cert } })).toMatchObject({ ok: false });
  });

  test("a malformed client certificate is a failure, not an exception", async () => {
    const tlsOptions = { cert: "no certificate", key: "no key" };
    expect(await run(`https://127.0.0.1:${await refusingPort()}`, { tlsOptions })).toEqual(
      failure(/PEM_NO_START_LINE/),
    );
  });
});
