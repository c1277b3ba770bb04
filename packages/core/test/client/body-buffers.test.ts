import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, get, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { duplexPair } from "node:stream";
import { describe, expect, onTestFinished, test } from "vitest";
import { BodyBuffers } from "../../src/client/node/body-buffers.ts";
import { seededRandom } from "../support/seeded-random.ts";

/** What every piece is read into, as a transport's buffer is. */
const shared = Buffer.alloc(65_536);

async function ask(listener: RequestListener): Promise<IncomingMessage> {
  const server = createServer(listener);
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const request = get({ host: "127.0.0.1", port: (server.address() as AddressInfo).port, agent: false });
  const [response] = await once(request, "response");
  return response as IncomingMessage;
}

/** Sends pieces of random lengths and bytes through the shared buffer, at the response's pace. Returns their hash. */
async function sendPieces(res: ServerResponse, count: number): Promise<string> {
  const random = seededRandom(7);
  const hash = createHash("sha256");
  const pieces = new BodyBuffers();
  for (let sent = 0; sent < count; sent++) {
    const length = 1 + Math.floor(random() * shared.length);
    shared.fill(Math.floor(random() * 256), 0, length);
    shared.writeUInt8(sent % 256, length - 1);
    hash.update(shared.subarray(0, length));
    const room = pieces.send(res, shared.subarray(0, length));
    shared.fill(0);
    if (!room) await once(res, "drain");
  }
  res.end();
  return hash.digest("hex");
}

async function hashOf(response: IncomingMessage): Promise<string> {
  const hash = createHash("sha256");
  for await (const bytes of response) hash.update(bytes as Buffer);
  return hash.digest("hex");
}

/** Notes the memory of the large pieces that are written to the response's socket. */
function noteMemory(res: ServerResponse, seen: Set<ArrayBufferLike>): void {
  const { socket } = res;
  if (socket === null) throw new Error("the response has no socket");
  const { write } = socket;
  socket.write = ((chunk: string | Uint8Array, ...rest: []) => {
    if (typeof chunk !== "string" && chunk.length >= 16_384) seen.add(chunk.buffer);
    return write.call(socket, chunk, ...rest);
  }) as typeof write;
}

describe("the pieces of a body", () => {
  test.each([
    ["in chunks", {}],
    ["until the connection ends", { Connection: "close", "Transfer-Encoding": "identity" }],
  ])("arrive as they were, from a few blocks used over and over: %s", async (_how, headers) => {
    const memory = new Set<ArrayBufferLike>();
    let sent: Promise<string> | undefined;
    const response = await ask((_req, res) => {
      res.writeHead(200, headers);
      noteMemory(res, memory);
      sent = sendPieces(res, 400);
    });
    expect(await hashOf(response)).toBe(await sent);
    expect(memory.size).toBeLessThan(20);
  });

  test("that are small take no block each", async () => {
    const pieces = new BodyBuffers();
    const before = process.memoryUsage().arrayBuffers;
    let grown = Infinity;
    const response = await ask((_req, res) => {
      for (let sent = 0; sent < 2_000; sent++) pieces.send(res, shared.subarray(0, 1));
      grown = process.memoryUsage().arrayBuffers - before;
      res.end();
    });
    response.resume();
    await once(response, "end");
    // Two thousand blocks would be 131 MB.
    expect(grown).toBeLessThan(4_000_000);
  });

  test("arrive as they were where the server was given a stream in place of a socket", async () => {
    const [ours, theirs] = duplexPair();
    const kept: Buffer[] = [];
    theirs.on("data", (bytes: Buffer) => kept.push(bytes));
    let sent: Promise<string> | undefined;
    const server = createServer((_req, res) => {
      res.writeHead(200, { Connection: "close", "Transfer-Encoding": "identity" });
      sent = sendPieces(res, 50);
    });
    server.emit("connection", ours);
    theirs.write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    await once(theirs, "end");
    const all = Buffer.concat(kept);
    const body = all.subarray(all.indexOf("\r\n\r\n") + 4);
    expect(createHash("sha256").update(body).digest("hex")).toBe(await sent);
  });

  test("have memory of their own where an app's own write may keep them", async () => {
    const kept: Buffer[] = [];
    let sent: Promise<string> | undefined;
    const response = await ask((_req, res) => {
      const write = res.write.bind(res);
      res.write = ((chunk: Buffer, ...rest: []) => {
        kept.push(chunk);
        return write(chunk, ...rest);
      }) as typeof res.write;
      sent = sendPieces(res, 50);
    });
    const hash = await hashOf(response);
    expect(hash).toBe(await sent);
    expect(createHash("sha256").update(Buffer.concat(kept)).digest("hex")).toBe(hash);
  });
});
