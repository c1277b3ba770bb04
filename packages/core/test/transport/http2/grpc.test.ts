import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import { describe, expect, onTestFinished, test } from "vitest";
import { ask, type Recording } from "../../support/exchanges.ts";
import { h2cTransport } from "../../support/http2-transports.ts";

const asIs = (bytes: Buffer) => bytes;
const codec = { requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs };
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.Echo/${name}`,
  requestStream,
  responseStream,
  ...codec,
});
const service: ServiceDefinition = {
  Unary: method("Unary", false, false),
  Fail: method("Fail", false, false),
  Download: method("Download", false, true),
  Upload: method("Upload", true, false),
  Both: method("Both", true, true),
};

/** A message as gRPC frames it. */
function message(text: string): Buffer {
  const bytes = Buffer.from(text);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

function messagesOf(bytes: Buffer): string[] {
  const messages: string[] = [];
  for (let start = 0; start < bytes.length; ) {
    const length = bytes.readUInt32BE(start + 1);
    messages.push(bytes.toString("utf8", start + 5, start + 5 + length));
    start += 5 + length;
  }
  return messages;
}

async function grpcServer(options = {}): Promise<number> {
  const server = new Server(options);
  server.addService(service, {
    Unary: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => done(null, call.request),
    Fail: (_call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) =>
      done({ code: status.NOT_FOUND, details: "not here" }),
    Download: (call: ServerWritableStream<Buffer, Buffer>) => {
      for (let count = 0; count < 1_000; count++) call.write(Buffer.from(`${call.request} ${count}`));
      call.end();
    },
    Upload: (call: ServerReadableStream<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
      let length = 0;
      call.on("data", (bytes: Buffer) => {
        length += bytes.length;
      });
      call.on("end", () => done(null, Buffer.from(String(length))));
    },
    Both: (call: ServerDuplexStream<Buffer, Buffer>) => {
      call.on("data", (bytes: Buffer) => call.write(bytes));
      call.on("end", () => call.end());
    },
  });
  onTestFinished(() => server.forceShutdown());
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

const headers = ["Host", "a", "TE", "trailers", "Content-Type", "application/grpc"];

function call(
  transport: ReturnType<typeof h2cTransport>,
  name: string,
  messages: readonly string[],
): Promise<Recording> {
  const body = messages.map(message);
  return ask(transport, `/test.Echo/${name}`, { method: "POST", headers, body, bodyLength: -1 }).ended();
}

describe("a server of grpc-js", () => {
  test("answers calls of all four kinds, with their status in trailers", async () => {
    const transport = h2cTransport(await grpcServer());
    const texts = Array.from({ length: 200 }, (_, index) => `message ${index} ${"x".repeat(index * 20)}`);
    const unary = await call(transport, "Unary", ["hello"]);
    expect(messagesOf(unary.bytes)).toEqual(["hello"]);
    const download = await call(transport, "Download", ["row"]);
    expect(messagesOf(download.bytes)).toEqual(Array.from({ length: 1_000 }, (_, index) => `row ${index}`));
    const upload = await call(transport, "Upload", texts);
    expect(messagesOf(upload.bytes)).toEqual([String(texts.join("").length)]);
    const both = await call(transport, "Both", texts);
    expect(messagesOf(both.bytes)).toEqual(texts);
    for (const { trailers } of [unary, download, upload, both]) {
      expect(trailers[trailers.indexOf("grpc-status") + 1]).toBe("0");
    }
  });

  test("fails a call with trailers alone, which is a complete response", async () => {
    const failed = await call(h2cTransport(await grpcServer()), "Fail", ["hello"]);
    expect(failed).toMatchObject({ phase: "complete", status: 200, body: "" });
    const fields = [...failed.headers, ...failed.trailers];
    expect(fields[fields.indexOf("grpc-status") + 1]).toBe(String(status.NOT_FOUND));
    expect(fields).toContain("not%20here");
  });

  test("ends its connections by age, and no call is lost", async () => {
    const port = await grpcServer({ "grpc.max_connection_age_ms": 100, "grpc.max_connection_age_grace_ms": 2_000 });
    const transport = h2cTransport(port);
    const started = performance.now();
    let connections = 0;
    while (performance.now() - started < 1_500) {
      const calls = Array.from({ length: 5 }, () =>
        ask(transport, "/test.Echo/Unary", { method: "POST", headers, body: [message("hello")], bodyLength: -1 }),
      );
      for (const one of calls) {
        await one.ended();
        if (one.connectMs !== undefined) connections++;
        if (one.phase === "failed") expect(one.failure).toMatchObject({ code: "reset", sent: false });
        else expect(messagesOf(one.bytes)).toEqual(["hello"]);
      }
    }
    expect(connections).toBeGreaterThan(3);
  });
});
