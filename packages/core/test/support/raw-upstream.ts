import { type AddressInfo, createServer, type ListenOptions, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { onTestFinished } from "vitest";
import { Conditions } from "./conditions.ts";

/** A request as it came over a bare connection. */
export interface RawRequest {
  readonly socket: Socket;
  /** Counted over the upstream, from 0. */
  readonly connection: number;
  /** Counted over the connection, from 0. */
  readonly index: number;
  readonly method: string;
  readonly path: string;
  /** In Latin-1, with its empty line. */
  readonly head: string;
  /** Without its framing; empty in `onHead`. */
  readonly body: Buffer;
}

export interface RawScript {
  readonly onConnection?: (socket: Socket, connection: number) => void;
  /** Called when a head has come, before anything is read of the body. */
  readonly onHead?: (request: RawRequest) => void;
  /** Called when the body has come too. */
  readonly onRequest?: (request: RawRequest) => void;
  /** Speaks TLS. */
  readonly tls?: TlsOptions;
  /** Instead of a free port of 127.0.0.1. */
  readonly listen?: ListenOptions;
}

export interface RawUpstream {
  readonly port: number;
  /** Every connection there ever was, in order. */
  readonly sockets: readonly Socket[];
  /** Every request that has come whole, in order. */
  readonly requests: readonly RawRequest[];
  /** Connections open now. */
  readonly open: number;
  /** Resolves as soon as the condition holds; it is looked at whenever something happens here. */
  until(condition: () => boolean): Promise<void>;
}

/** An upstream that speaks bare bytes, by a script. Gone when the test is over. */
export async function rawUpstream(script: RawScript): Promise<RawUpstream> {
  const sockets: Socket[] = [];
  const requests: RawRequest[] = [];
  const conditions = new Conditions();
  let open = 0;
  const accept = (socket: Socket) => {
    const connection = sockets.push(socket) - 1;
    open++;
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("close", () => {
      open--;
      conditions.check();
    });
    script.onConnection?.(socket, connection);
    const onRequest = (request: RawRequest) => {
      requests.push(request);
      script.onRequest?.(request);
      conditions.check();
    };
    readRequests(socket, connection, { onHead: script.onHead, onRequest });
    socket.on("data", conditions.check);
    conditions.check();
  };
  const server = script.tls === undefined ? createServer(accept) : createTlsServer(script.tls, accept);
  // A handshake that fails is the client's to tell.
  server.on("tlsClientError", () => {});
  await listening(server, script.listen ?? { port: 0, host: "127.0.0.1" });
  onTestFinished(() => closeAll(server, sockets));
  const address = server.address() as AddressInfo | string;
  return {
    port: typeof address === "string" ? 0 : address.port,
    sockets,
    requests,
    get open() {
      return open;
    },
    until: (condition) => conditions.until(condition),
  };
}

/** A whole response with a body, framed by its length. */
export function response(body: string, { status = "200 OK", headers = [] as readonly string[] } = {}): string {
  const lines = [`HTTP/1.1 ${status}`, `Content-Length: ${body.length}`, ...headers];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

/** Answers each request with its own path. */
export function echo({ socket, method, path }: RawRequest): void {
  socket.write(method === "HEAD" ? response(path).slice(0, -path.length) : response(path), "latin1");
}

type Callbacks = { readonly onHead: RawScript["onHead"]; readonly onRequest: (request: RawRequest) => void };

/** Takes what comes apart into requests, framed by length or in chunks. */
function readRequests(socket: Socket, connection: number, { onHead, onRequest }: Callbacks): void {
  let bytes = Buffer.alloc(0);
  let request: RawRequest | undefined;
  let index = 0;
  const next = (): boolean => {
    if (request === undefined) {
      const end = bytes.indexOf("\r\n\r\n");
      if (end === -1) return false;
      const head = bytes.toString("latin1", 0, end + 4);
      const [method = "", path = ""] = head.split(" ", 2);
      request = { socket, connection, index: index++, method, path, head, body: Buffer.alloc(0) };
      bytes = bytes.subarray(end + 4);
      onHead?.(request);
    }
    const body = takeBody(request.head, bytes);
    if (body === undefined) return false;
    bytes = bytes.subarray(body.taken);
    const whole = { ...request, body: body.data };
    request = undefined;
    onRequest(whole);
    return true;
  };
  socket.on("data", (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    while (next());
  });
}

function takeBody(head: string, bytes: Buffer): { data: Buffer; taken: number } | undefined {
  const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
  if (!/\r\ntransfer-encoding: chunked/i.test(head)) {
    return bytes.length < length ? undefined : { data: bytes.subarray(0, length), taken: length };
  }
  const data: Buffer[] = [];
  let position = 0;
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", position);
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", position, lineEnd), 16);
    const end = lineEnd + 2 + size;
    if (bytes.length < end + 2) return undefined;
    if (size === 0) return { data: Buffer.concat(data), taken: end + 2 };
    data.push(bytes.subarray(lineEnd + 2, end));
    position = end + 2;
  }
}

function listening(server: Server, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options, resolve);
  });
}

function closeAll(server: Server, sockets: readonly Socket[]): Promise<void> {
  for (const socket of sockets) socket.destroy();
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
