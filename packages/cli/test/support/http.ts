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

/** Serves a listener on a free port until the test is over. */
export async function startUpstream(listener: RequestListener): Promise<Upstream> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
  readonly agent?: Agent;
  readonly socketPath?: string;
}

/** Asks and resolves with the whole answer. Rejects when the connection dies before its end. */
export function ask(url: string, { path = "/", body, agent, ...options }: Ask = {}): Promise<Answer> {
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

/** An agent with so many connections that stay open, gone after the test. */
export function keepAlive(maxSockets: number): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets });
  onTestFinished(() => agent.destroy());
  return agent;
}

/** A client of bare bytes. */
export class RawClient {
  received = "";
  readonly socket: Socket;
  /** Resolves when the connection has ended, by a reset as well. */
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

  /** Resolves when what has come matches. Rejects when the connection ends before. */
  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.received)) {
      const more = await Promise.race([once(this.socket, "data"), this.closed.then(() => undefined)]);
      if (more === undefined && !pattern.test(this.received)) {
        throw new Error(`the connection ended after: ${JSON.stringify(this.received)}`);
      }
    }
  }
}
