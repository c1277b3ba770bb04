import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { type AddressInfo, createServer as createRawServer, type Server as RawServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { holdPort } from "./refusing-port.ts";

/** What an upstream has been asked. */
export interface Received {
  readonly method: string;
  readonly url: string;
  /** As they came, names and values by turns. */
  readonly rawHeaders: readonly string[];
  readonly headers: IncomingMessage["headers"];
}

/** A server on a port of 127.0.0.1 that can be killed and can come back. */
export interface TestServer {
  readonly url: string;
  readonly port: number;
  /** Sockets open now. */
  readonly sockets: ReadonlySet<Socket>;
  /** Stops listening and resets every connection. */
  kill(): Promise<void>;
  /** Listens again, on the same port. */
  revive(): Promise<void>;
}

export interface TestUpstream extends TestServer {
  readonly server: Server;
  /** In the order of arrival. */
  readonly received: Received[];
  /** Replaces what it answers. */
  answer: RequestListener;
}

/** An upstream over node:http that answers 200 with its name, until it is told otherwise. Gone when the test is over. */
export async function startUpstream(
  name: string,
  answer: RequestListener = (_req, res) => void res.end(name),
): Promise<TestUpstream> {
  const received: Received[] = [];
  const server = createServer({ keepAliveTimeout: 60_000, maxHeaderSize: 65_536 }, (req, res) => {
    received.push(receivedOf(req));
    upstream.answer(req, res);
  });
  const upstream: TestUpstream = { ...(await listen(server)), server, received, answer };
  return upstream;
}

export function receivedOf({ method = "", url = "", rawHeaders, headers }: IncomingMessage): Received {
  return { method, url, rawHeaders, headers };
}

/**
 * An upstream that does with the bare connection whatever it likes. `onHead` is called once a request's head has come
 * whole, for each of them; what follows it stays in `rest`.
 */
export async function startRawUpstream(
  onHead: (socket: Socket, head: string, rest: Buffer) => void,
): Promise<TestServer & { readonly heads: string[] }> {
  const heads: string[] = [];
  const server = createRawServer({ allowHalfOpen: true }, (socket) => {
    let bytes = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf("\r\n\r\n");
      if (end === -1) return;
      const head = bytes.toString("latin1", 0, end);
      const rest = bytes.subarray(end + 4);
      bytes = Buffer.alloc(0);
      heads.push(head);
      onHead(socket, head, rest);
    };
    socket.on("data", onData);
    socket.on("error", () => {});
  });
  return Object.assign(await listen(server), { heads });
}

/** The whole body of a request. */
export async function bodyOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function listen(server: Server | RawServer): Promise<TestServer> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  let releasePort: (() => void) | undefined;
  const kill = () =>
    new Promise<void>((resolve) => {
      const wasListening = server.listening;
      server.close(() => resolve());
      for (const socket of sockets) socket.resetAndDestroy();
      if (wasListening) releasePort = holdPort(port);
    });
  const revive = async () => {
    releasePort?.();
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  onTestFinished(async () => {
    await kill();
    releasePort?.();
  });
  return { url: `http://127.0.0.1:${port}`, port, sockets, kill, revive };
}

function once(server: Server | RawServer, event: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once(event, () => resolve());
    server.once("error", reject);
  });
}
