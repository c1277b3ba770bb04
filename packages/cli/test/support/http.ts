import { once } from "node:events";
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type RequestListener,
  request,
  type Server,
} from "node:http";
import { request as tlsRequest } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";

export interface Upstream {
  readonly server: Server;
  readonly url: string;
}

/** Serves a listener on a free port until the end of the test. */
export async function startUpstream(listener: RequestListener): Promise<Upstream> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

export interface ReceivedResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface RequestOptions {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
  readonly agent?: Agent;
  readonly socketPath?: string;
}

/** Sends a request and resolves with the complete response. Rejects if the connection closes before its end. */
export function sendRequest(
  url: string,
  { path = "/", body, agent, ...options }: RequestOptions = {},
): Promise<ReceivedResponse> {
  const target = new URL(path, url);
  const send = target.protocol === "https:" ? tlsRequest : request;
  return new Promise((resolve, reject) => {
    const sent = send(target, { agent: agent ?? false, rejectUnauthorized: false, ...options });
    sent.once("error", reject);
    sent.once("response", (response) => {
      text(response).then(
        (body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, text: body }),
        reject,
      );
    });
    sent.end(body);
  });
}

/** An agent with `maxSockets` kept-alive connections, destroyed after the test. */
export function keepAlive(maxSockets: number): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets });
  onTestFinished(() => agent.destroy());
  return agent;
}

/** A client that sends raw bytes. */
export class RawClient {
  received = "";
  readonly socket: Socket;
  /** Resolves when the connection is closed, also by a reset. */
  readonly closed: Promise<unknown>;

  static async open(port: number, bytes = ""): Promise<RawClient> {
    const socket = connect({ port, host: "127.0.0.1" });
    onTestFinished(() => void socket.destroy());
    await once(socket, "connect");
    socket.write(bytes, "latin1");
    return new RawClient(socket);
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => void socket.once("close", resolve));
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      this.received += chunk.toString("latin1");
    });
  }

  /** Resolves once the received bytes match. Rejects if the connection closes before. */
  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.received)) {
      const more = await Promise.race([once(this.socket, "data"), this.closed.then(() => undefined)]);
      if (more === undefined && !pattern.test(this.received)) {
        throw new Error(`the connection ended after: ${JSON.stringify(this.received)}`);
      }
    }
  }
}
