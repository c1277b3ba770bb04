/**
 * Routes upgrades through fastify. Node emits them to listeners of the server, without fastify and its hooks. Here they are routed
 * like any other request, so that hooks and constraints apply, and the handler finds the socket by the request.
 *
 * Other listeners (@fastify/websocket, a server of the ws package) respond to every upgrade that they get. So they do not get a
 * WebSocket handshake under one of our prefixes that a route of its proxy matches, and get all others. An upgrade that no listener
 * takes, and an upgrade to anything but WebSocket, is an ordinary request of the app.
 */

import { type IncomingMessage, type Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import {
  declineUpgrade,
  endLingering,
  inTurn,
  offersWebSocket,
  type Proxy as ReverseProxy,
  serveAsRequest,
} from "evenkeel";
import type { FastifyInstance } from "fastify";
import type { Prefix } from "./prefix.ts";

const kUpgradeRouter = Symbol("evenkeel.upgrades");

type UpgradeServer = Server & { [kUpgradeRouter]?: UpgradeRouter };

/** Returns the upgrade router of an app's server. All registrations of the plugin share it. */
export function upgradeRouterOf(app: FastifyInstance): UpgradeRouter {
  const server = app.server as UpgradeServer;
  server[kUpgradeRouter] ??= new UpgradeRouter(app, server);
  return server[kUpgradeRouter];
}

export class UpgradeRouter {
  readonly #app: FastifyInstance;
  readonly #mounts: { readonly prefix: Prefix; readonly proxy: ReverseProxy }[] = [];
  readonly #routes = new Set<string>();
  readonly #pending = new WeakMap<IncomingMessage, PendingUpgrade>();

  constructor(app: FastifyInstance, server: Server) {
    this.#app = app;
    const emit = server.emit.bind(server) as (event: string | symbol, ...args: unknown[]) => boolean;
    server.emit = (event: string | symbol, ...args: unknown[]) => {
      if (event !== "upgrade") return emit(event, ...args);
      const [req, socket, head] = args as [IncomingMessage, Socket, Buffer];
      if (!this.#isOurs(req)) return emit(event, ...args);
      if (offersWebSocket(req)) this.#route(req, socket, head);
      else serveAsRequest(req, socket, head);
      return true;
    };
    server.on("upgrade", declineUpgrade);
  }

  /** Routes the upgrades under a prefix that a route of the proxy matches. `routes` are the paths of our handler. */
  add(prefix: Prefix, proxy: ReverseProxy, routes: readonly string[]): void {
    this.#mounts.push({ prefix, proxy });
    for (const route of routes) this.#routes.add(route);
  }

  /** Whether a request in a handler is an upgrade. */
  has(req: IncomingMessage): boolean {
    return this.#pending.has(req);
  }

  /** Returns the upgrade of a request in a handler, and detaches it from fastify's response. */
  take(req: IncomingMessage): PendingUpgrade | undefined {
    const upgrade = this.#pending.get(req);
    upgrade?.release();
    return upgrade;
  }

  #isOurs(req: IncomingMessage): boolean {
    const { url = "", method, rawHeaders, headers, httpVersion, httpVersionMajor, socket } = req;
    const path = url.replace(/[?#].*$/s, "");
    // The app's own route below our prefix, such as one of @fastify/websocket, belongs to the plugin that registered it.
    if (!this.#routes.has(path) && this.#hasAppRoute(path)) return false;
    return this.#mounts.some(({ prefix, proxy }) => {
      const { mountPath, rest } = prefix.split(url);
      const below = { url: rest, method, rawHeaders, headers, httpVersion, httpVersionMajor, socket };
      return prefix.covers(url) && proxy.matches(below, mountPath);
    });
  }

  /**
   * Whether the app has a static route with exactly this path. `hasRoute` takes a route pattern, and the path is untrusted: its
   * `:` and `(` would be compiled into a regular expression if they were not escaped, and its `*` would throw.
   */
  #hasAppRoute(path: string): boolean {
    if (path.includes("*")) return false;
    return this.#app.hasRoute({ method: "GET", url: path.replaceAll(":", "::") });
  }

  #route(req: IncomingMessage, socket: Socket, head: Buffer): void {
    // A client may have pipelined it behind earlier requests.
    inTurn(socket, head, (rest) => {
      if (rest === undefined) return;
      const upgrade = new PendingUpgrade(req, socket, rest);
      this.#pending.set(req, upgrade);
      this.#app.routing(req, upgrade.res);
    });
  }
}

/** An upgrade with a response on its socket, for a hook or a route that rejects it. The connection is closed after it. */
export class PendingUpgrade {
  readonly socket: Socket;
  /** The bytes that the client has sent behind its request. */
  readonly head: Buffer;
  readonly res: ServerResponse;

  constructor(req: IncomingMessage, socket: Socket, head: Buffer) {
    this.socket = socket;
    this.head = head;
    this.res = new ServerResponse(req);
    this.res.shouldKeepAlive = false;
    this.res.on("finish", () => endLingering(socket));
    this.res.assignSocket(socket);
    socket.on("error", this.#onError);
    socket.on("drain", this.#onDrain);
  }

  /** Detaches the response from the socket. */
  release(): void {
    this.socket.off("drain", this.#onDrain);
    this.res.detachSocket(this.socket);
  }

  readonly #onError = (): void => {
    this.socket.destroy();
  };

  readonly #onDrain = (): void => {
    this.res.emit("drain");
  };
}
