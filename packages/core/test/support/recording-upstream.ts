import { type AddressInfo, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { readRequest, StrictError, type StrictRequest } from "./strict-http.ts";

/** A request as the upstream has read it, to the letter. */
export interface SeenRequest extends StrictRequest {
  /** Counted over the upstream, from 0. */
  readonly connection: number;
  /** Counted over the connection, from 0. */
  readonly index: number;
}

/** What an upstream does with the requests of a case. Whatever is left out, it does as a good server. */
export interface Script {
  /** Called when a head has come. True: it is answered, and is not to be answered again when its body has come. */
  readonly onHead?: (socket: Socket, request: SeenRequest) => boolean;
  /** Called when a request has come whole. */
  readonly onRequest?: (socket: Socket, request: SeenRequest) => void;
  /** Called with what follows once `onHead` or `onRequest` has written a 101. */
  readonly onTunnel?: (socket: Socket, bytes: Buffer) => void;
}

/** An upstream that keeps every byte it got and reads it strictly. */
export class RecordingUpstream {
  readonly port: number;
  /** Requests whose heads have come, whole or not. */
  readonly heads: SeenRequest[] = [];
  /** Requests that have come whole. */
  readonly requests: SeenRequest[] = [];
  /** What no upstream should ever get to read. */
  readonly violations: string[] = [];
  /** Bytes by connection. */
  readonly received: Buffer[] = [];
  /** Bytes that came as a tunnel, by connection. */
  readonly tunnelled: Buffer[] = [];
  readonly sockets = new Set<Socket>();

  constructor(port: number) {
    this.port = port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  accept(socket: Socket, script: Script): void {
    const connection = this.received.push(Buffer.alloc(0)) - 1;
    const reader = { position: 0, index: 0, answered: false, headSeen: false, tunnel: false };
    const next = (): boolean => {
      const bytes = this.received[connection] as Buffer;
      if (reader.position === bytes.length) return false;
      const found = readRequest(bytes, reader.position);
      if (found === undefined) return false;
      const request = { ...found, connection, index: reader.index };
      const own = isTagged(request.target) ? {} : script;
      if (!reader.headSeen) {
        reader.headSeen = true;
        this.heads.push(request);
        reader.answered = own.onHead?.(socket, request) ?? false;
      }
      if (!request.complete) return false;
      this.requests.push(request);
      if (!reader.answered) (own.onRequest ?? answerTag)(socket, request);
      Object.assign(reader, { position: request.end, index: reader.index + 1, answered: false, headSeen: false });
      reader.tunnel = own.onTunnel !== undefined && /^upgrade:/im.test(request.head);
      if (reader.tunnel && request.end < bytes.length)
        this.#onTunnelBytes(socket, connection, bytes.subarray(request.end), script);
      return !reader.tunnel;
    };
    socket.on("data", (chunk: Buffer) => {
      if (reader.tunnel) return this.#onTunnelBytes(socket, connection, chunk, script);
      this.received[connection] = Buffer.concat([this.received[connection] as Buffer, chunk]);
      try {
        while (next());
      } catch (error) {
        if (!(error instanceof StrictError)) throw error;
        this.violations.push(error.message);
        socket.destroy();
      }
    });
  }

  #onTunnelBytes(socket: Socket, connection: number, bytes: Buffer, script: Script): void {
    this.tunnelled[connection] = Buffer.concat([this.tunnelled[connection] ?? Buffer.alloc(0), bytes]);
    script.onTunnel?.(socket, bytes);
  }
}

/** Starts one on a free port of 127.0.0.1. Gone when the test is over. */
export async function recordingUpstream(script?: Script): Promise<RecordingUpstream> {
  const { upstream, close } = await openRecordingUpstream(script);
  onTestFinished(close);
  return upstream;
}

/** Starts one that the caller closes. */
export async function openRecordingUpstream(
  script: Script = {},
): Promise<{ readonly upstream: RecordingUpstream; close(): Promise<void> }> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    upstream.sockets.add(socket);
    socket.on("close", () => upstream.sockets.delete(socket));
    socket.on("end", () => socket.end());
    socket.on("error", () => {});
    upstream.accept(socket, script);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const upstream = new RecordingUpstream((server.address() as AddressInfo).port);
  return {
    upstream,
    close: () => {
      for (const socket of upstream.sockets) socket.destroy();
      return new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

/** Requests that belong to the test itself: they are always answered with their own tag. */
export function isTagged(target: string): boolean {
  return /^\/(?:victim|sentinel)\//.test(target);
}

/** Answers with the request's own target, so that an answer tells whose it is. `lines` are more lines for the head. */
export function answerTag(
  socket: Socket,
  { method, target }: Pick<SeenRequest, "method" | "target">,
  lines = "",
): void {
  const body = method === "HEAD" ? "" : target;
  socket.write(
    `HTTP/1.1 200 OK\r\nX-Tag: ${target}\r\n${lines}Content-Length: ${target.length}\r\n\r\n${body}`,
    "latin1",
  );
}

/** Says exactly this to every request of the case, and then does as told. */
export function saying(bytes: string | Buffer, then: (socket: Socket) => void = () => {}): Script {
  const said = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
  return { onRequest: (socket) => void socket.write(said, () => then(socket)) };
}
