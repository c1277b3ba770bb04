/** How an https upstream is verified, by requests, probes and tunnels alike, and what is reported when that fails. */

import { createServer, type Server } from "node:https";
import { type AddressInfo, connect } from "node:net";
import type { SecureVersion, TlsOptions as ServerTlsOptions, TLSSocket } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocketServer } from "ws";
import type { ProxyOptions, TlsOptions } from "../../src/config/options.ts";
import type { AttemptEvent, HealthEvent } from "../../src/events.ts";
import { cert, expired, key } from "../support/certificates.ts";
import { fetchFrom, rawClient, rawOver } from "../support/client.ts";
import { nextEvent, startProxy } from "../support/start-proxy.ts";
import { connectSocket, echo, handshake } from "../support/web-sockets.ts";

/** An upstream with a WebSocket echo. `names` are those that TLS asked for (SNI), in order. */
async function secureUpstream(options: ServerTlsOptions = {}, host = "127.0.0.1") {
  const names: (string | false | null)[] = [];
  const server: Server = createServer({ cert, key, ...options }, (_req, res) => res.end("served"));
  server.on("secureConnection", (socket: TLSSocket) => {
    names.push((socket as unknown as { servername: string | false }).servername);
  });
  new WebSocketServer({ server }).on("connection", (client) => client.on("message", (data) => client.send(data)));
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { names, port: (server.address() as AddressInfo).port };
}

describe("the name that a WebSocket to an https upstream is verified under", () => {
  test.each<[string, string, TlsOptions, string | false]>([
    ["the URL's host", "localhost", {}, "localhost"],
    ["tls.servername, where there is one", "0.0.0.0", { servername: "localhost" }, "localhost"],
    ["the URL's address, without asking for it", "127.0.0.1", {}, false],
  ])("is %s, whatever the client's Host says", async (_, host, tls, name) => {
    const upstream = await secureUpstream();
    const { url } = await startProxy({ upstreams: [`https://${host}:${upstream.port}`], tls: { ca: cert, ...tls } });
    for (const preserved of ["shop.example", "localhost", "127.0.0.2"]) {
      const socket = await connectSocket(url, [], { headers: { Host: preserved } });
      expect((await echo(socket, "safe")).data.toString()).toBe("safe");
      socket.close();
    }
    expect(upstream.names).toEqual([name, name, name]);
  });

  test("cannot be chosen by the client to fit another server's certificate", async () => {
    const upstream = await secureUpstream({}, "0.0.0.0");
    for (const tls of [{ ca: cert }, { ca: cert, servername: "api.internal" }]) {
      const { port, finished } = await startProxy({ upstreams: [`https://0.0.0.0:${upstream.port}`], tls });
      const client = await rawOver(connect(port, "127.0.0.1"), handshake().replace("Host: h", "Host: localhost"));
      expect((await client.over()).text).toMatch(/^HTTP\/1\.1 502 [^]*details="tls_failed"/);
      const [request] = await finished(1);
      expect(request?.attempts[0]?.cause).toMatch(/\(ERR_TLS_CERT_ALTNAME_INVALID\)$/);
    }
  });
});

/** What is wrong with an upstream, and what an operator reads about it. */
const faults: [string, ServerTlsOptions, TlsOptions, RegExp][] = [
  ["an unknown authority", {}, {}, /^self.signed certificate \(DEPTH_ZERO_SELF_SIGNED_CERT\)$/],
  ["an expired certificate", { cert: expired }, { ca: expired }, /^certificate has expired \(CERT_HAS_EXPIRED\)$/],
  [
    "another server's certificate",
    {},
    { ca: cert, servername: "api.internal" },
    /^Host: api\.internal\. is not in the cert's altnames: .* \(ERR_TLS_CERT_ALTNAME_INVALID\)$/,
  ],
  [
    "an old protocol version",
    { maxVersion: "TLSv1.1" as SecureVersion, minVersion: "TLSv1" as SecureVersion, ciphers: "DEFAULT@SECLEVEL=0" },
    { ca: cert },
    /protocol.* \((?:EPROTO|ERR_SSL_\w+)\)$/,
  ],
  [
    "a client certificate that it wants in TLS 1.2",
    { requestCert: true, rejectUnauthorized: true, ca: cert, maxVersion: "TLSv1.2" },
    { ca: cert },
    /handshake failure \((?:EPROTO|ERR_SSL_\w+)\)$/,
  ],
];

describe("an https upstream with", () => {
  const optionsFor = (port: number, tls: TlsOptions): ProxyOptions => ({
    upstreams: [`https://localhost:${port}`],
    tls,
    outlierDetection: false,
    retry: { attempts: 0 },
  });

  test.each(faults)("%s: attempts and the error say why", async (_, server, tls, cause) => {
    const { port } = await secureUpstream(server);
    const { url, proxy, finished } = await startProxy(optionsFor(port, tls));
    const attempts: AttemptEvent[] = [];
    proxy.on("attempt", (attempt) => attempts.push(attempt));
    expect((await fetchFrom(url)).text).not.toMatch(/certificate|SSL|api\.internal/);
    const [request] = await finished(1);
    expect(request?.attempts[0]).toMatchObject({ error: "tls_failed", cause: expect.stringMatching(cause) });
    expect(attempts[0]?.cause).toBe(request?.attempts[0]?.cause);

    const client = await rawOver(connect(Number(new URL(url).port), "127.0.0.1"), handshake());
    await client.over();
    const tunnel = (await finished(2))[1]?.attempts[0];
    expect(tunnel).toMatchObject({ error: "tls_failed", cause: expect.stringMatching(cause) });
  });

  test.each(faults)("%s: a probe's verdict says why", async (_, server, tls, cause) => {
    const { port } = await secureUpstream(server);
    const { proxy } = await startProxy({
      ...optionsFor(port, tls),
      healthCheck: { interval: "100ms", unhealthyThreshold: 1 },
    });
    const event: HealthEvent = await nextEvent(proxy, "health");
    expect(event).toMatchObject({ to: "unhealthy", reason: "tls_failed", cause: expect.stringMatching(cause) });
  });

  test("a client certificate that it wants in TLS 1.3: the failure is one of TLS", async () => {
    const upstream = await secureUpstream({ requestCert: true, rejectUnauthorized: true, ca: cert });
    const { url, finished } = await startProxy(optionsFor(upstream.port, { ca: cert }));
    await fetchFrom(url);
    const [request] = await finished(1);
    expect(request?.attempts[0]).toMatchObject({
      error: "tls_failed",
      cause: expect.stringMatching(/certificate required \(ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED\)$/),
    });
  });

  test("any of them: an app that handles errors gets the cause", async () => {
    const { port } = await secureUpstream();
    const errors: Error[] = [];
    const { proxy, url } = await startProxy(optionsFor(port, {}), {
      listener: () => (req, res) =>
        proxy.forward(req, res, {
          onError: (error) => {
            errors.push(error);
            res.end("handled");
          },
        }),
    });
    expect((await fetchFrom(url)).text).toBe("handled");
    expect(errors[0]).toMatchObject({ code: "tls_failed" });
    expect(errors[0]?.cause).toMatchObject({ cause: { code: "DEPTH_ZERO_SELF_SIGNED_CERT" } });
  });
});

test("a client certificate that cannot be used is 502 for a WebSocket, and the process lives", async () => {
  const upstream = await secureUpstream();
  const broken = { cert: "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----", key: "not a key" };
  const { port, finished } = await startProxy({ upstreams: [`https://127.0.0.1:${upstream.port}`], tls: broken });
  const client = await rawClient(port, handshake());
  await client.until(/502 Bad Gateway/);
  expect((await finished(1))[0]).toMatchObject({ status: 502, error: "tls_failed" });
});
