import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { status as grpcStatus, type Metadata, Server, ServerCredentials, type sendUnaryData } from "@grpc/grpc-js";
import { describe, expect, onTestFinished, test } from "vitest";
import { cert, key } from "../support/certificates.ts";
import { refusingPort } from "../support/refusing-port.ts";
import { answering, response, run, serve } from "./raw-server.ts";

const asIs = (bytes: Buffer) => bytes;
const check = { type: "grpc" } as const;

interface HealthServer {
  readonly url: string;
  /** The messages and the metadata of the calls. */
  readonly calls: { readonly request: Buffer; readonly metadata: Metadata }[];
}

/** A server of grpc-js with a health service that responds with these bytes or with an error. */
async function healthServer(answer: Buffer | { code: number; details: string }, secure = false): Promise<HealthServer> {
  const calls: HealthServer["calls"] = [];
  const server = new Server();
  const method = {
    ...{ path: "/grpc.health.v1.Health/Check", requestStream: false, responseStream: false },
    ...{ requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs },
  };
  server.addService(
    { Check: method },
    {
      Check: (call: HealthServer["calls"][number], done: sendUnaryData<Buffer>) => {
        calls.push(call);
        if (Buffer.isBuffer(answer)) done(null, answer);
        else done(answer);
      },
    },
  );
  onTestFinished(() => server.forceShutdown());
  const credentials = secure
    ? ServerCredentials.createSsl(null, [{ private_key: Buffer.from(key), cert_chain: Buffer.from(cert) }])
    : ServerCredentials.createInsecure();
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  return { url: `${secure ? "https" : "http"}://127.0.0.1:${port}`, calls };
}

const serving = Buffer.from([0x08, 1]);

describe.each([false, true])("a gRPC server, TLS: %s", (secure) => {
  const tlsOptions = { ca: cert };

  test("that is SERVING is healthy, whatever requests use", async () => {
    const { url, calls } = await healthServer(serving, secure);
    for (const http2 of [false, secure ? true : "h2c"] as const) {
      expect(await run(url, { check, tlsOptions, connections: { http2 } })).toEqual({ ok: true, reason: "SERVING" });
    }
    expect(calls[0]?.request).toHaveLength(0);
    expect(calls[0]?.metadata.get("user-agent")).toEqual(["evenkeel-health"]);
  });

  test("that is not, or of which nothing is known, is not", async () => {
    for (const [code, reason] of [
      [0, "UNKNOWN"],
      [2, "NOT_SERVING"],
      [3, "SERVICE_UNKNOWN"],
    ] as const) {
      const { url } = await healthServer(Buffer.from([0x08, code]), secure);
      expect(await run(url, { check, tlsOptions })).toEqual({ ok: false, reason });
    }
  });
});

test("the service and headers of the check are sent", async () => {
  const { url, calls } = await healthServer(serving);
  const headers = { Authorization: "Bearer x", "User-Agent": "mine" };
  expect(await run(url, { check: { ...check, service: "shop.v1.Cart", headers } })).toMatchObject({ ok: true });
  expect(calls[0]?.request.toString("latin1")).toBe("\n\x0cshop.v1.Cart");
  expect(calls[0]?.metadata.get("authorization")).toEqual(["Bearer x"]);
  expect(calls[0]?.metadata.get("user-agent")).toEqual(["mine"]);
});

test("another status than OK is the reason", async () => {
  const { url } = await healthServer({ code: grpcStatus.NOT_FOUND, details: "unknown service" });
  expect(await run(url, { check })).toEqual({ ok: false, reason: "grpc-status NOT_FOUND" });
});

test("a server without the service is UNIMPLEMENTED", async () => {
  const server = new Server();
  onTestFinished(() => server.forceShutdown());
  const port = await new Promise<number>((resolve) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (_, bound) => resolve(bound));
  });
  const result = await run(`http://127.0.0.1:${port}`, { check });
  expect(result).toEqual({ ok: false, reason: "grpc-status UNIMPLEMENTED" });
});

describe("a server that is not one of gRPC", () => {
  /** Responds to each stream. */
  async function http2Server(answer: (stream: http2.ServerHttp2Stream) => void): Promise<string> {
    const server = http2.createServer().listen(0, "127.0.0.1");
    const sessions = new Set<http2.ServerHttp2Session>();
    server.on("session", (session) => sessions.add(session.on("error", () => {})));
    server.on("stream", (stream) => answer(stream.on("error", () => {})));
    await new Promise((resolve) => server.once("listening", resolve));
    onTestFinished(() => {
      for (const session of sessions) session.destroy();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  test.each<[string, (stream: http2.ServerHttp2Stream) => void, string]>([
    ["with another status", (stream) => stream.respond({ ":status": 404 }, { endStream: true }), "status 404"],
    ["without a grpc-status", (stream) => stream.respond({ ":status": 200 }, { endStream: true }), "invalid_response"],
    [
      "with an endless body",
      (stream) => {
        stream.respond({ ":status": 200 });
        stream.write("x".repeat(100_000));
      },
      "invalid_response",
    ],
    [
      "with another message",
      (stream) => {
        stream.respond({ ":status": 200 }, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
        stream.end("hello");
      },
      "invalid_response",
    ],
  ])("%s", async (_, answer, reason) => {
    expect(await run(await http2Server(answer), { check })).toEqual({ ok: false, reason });
  });

  test("but one of HTTP/1.1 fails", async () => {
    const server = await serve(answering((socket) => socket.end(response("200 OK"))));
    expect(await run(`http://127.0.0.1:${server.port}`, { check })).toMatchObject({ ok: false });
  });

  test("and one that does not listen is connect_refused", async () => {
    const result = await run(`http://127.0.0.1:${await refusingPort()}`, { check });
    expect(result).toMatchObject({ ok: false, reason: "connect_refused" });
  });
});
