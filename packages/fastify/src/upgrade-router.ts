/**
 * Upgrades on their way through fastify. Node hands them to listeners of the server, past fastify and its hooks. Here they
 * are routed like any other request, so that hooks and constraints apply, and the handler finds the socket by the request.
 *
 * A WebSocket handshake under one of our prefixes, for a route of its proxy, is not shown to other listeners
 * (@fastify/websocket, a server of the ws package), which answer whatever they see. All others are theirs. What no listener
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

const kUpgrades = Symbol("evenkeel.upgrades");

type UpgradeServer = Server & { [kUpgrades]?: Upgrades };

/** The upgrades of a fastify app's server. All registrations share them. */
export function upgradesOf(app: FastifyInstance): Upgrades {
  const server = app.server as UpgradeServer;
  server[kUpgrades] ??= new Upgrades(app, server);
  return server[kUpgrades];
}

export class Upgrades {
  readonly #app: FastifyInstance;
  readonly #mounts: { readonly prefix: Prefix; readonly proxy: ReverseProxy }[] = [];
  readonly #routes = new Set<string>();
  readonly #onTheirWay = new WeakMap<IncomingMessage, Upgrade>();

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

  /** Makes the upgrades under a prefix, for routes of the proxy, ours. `routes` are those that lead to our handler. */
  add(prefix: Prefix, proxy: ReverseProxy, routes: readonly string[]): void {
    this.#mounts.push({ prefix, proxy });
    for (const route of routes) this.#routes.add(route);
  }

  /** Whether a request that has reached a handler is an upgrade. */
  has(req: IncomingMessage): boolean {
    return this.#onTheirWay.has(req);
  }

  /** The upgrade that has reached a handler as this request, off the response that fastify would have answered with. */
  take(req: IncomingMessage): Upgrade | undefined {
    const upgrade = this.#onTheirWay.get(req);
    upgrade?.release();
    return upgrade;
  }

  #isOurs(req: IncomingMessage): boolean {
    const { url = "", method, rawHeaders, headers, httpVersion, httpVersionMajor, socket } = req;
    const path = url.replace(/[?#].*$/s, "");
    // A route of the app's own below our prefix, as of @fastify/websocket, belongs to the plugin that has made it.
    if (!this.#routes.has(path) && this.#hasAppRoute(path)) return false;
    return this.#mounts.some(({ prefix, proxy }) => {
      const { mountPath, rest } = prefix.split(url);
      const below = { url: rest, method, rawHeaders, headers, httpVersion, httpVersionMajor, socket };
      return prefix.covers(url) && proxy.matches(below, mountPath);
    });
  }

  /**
   * Whether the app has a static route of exactly this path. `hasRoute` takes a route pattern, and the path is the client's:
   * unescaped, its `:` and `(` would be compiled into a regular expression, and its `*` would throw.
   */
  #hasAppRoute(path: string): boolean {
    if (path.includes("*")) return false;
    return this.#app.hasRoute({ method: "GET", url: path.replaceAll(":", "::") });
  }

  #route(req: IncomingMessage, socket: Socket, head: Buffer): void {
    // A client may have sent it ahead of the responses to earlier requests.
    inTurn(socket, head, (rest) => {
      if (rest === undefined) return;
      const upgrade = new Upgrade(req, socket, rest);
      this.#onTheirWay.set(req, upgrade);
      this.#app.routing(req, upgrade.res);
    });
  }
}

/** An upgrade with a response on its socket for whoever turns it down. The connection ends with that answer. */
export class Upgrade {
  readonly socket: Socket;
  /** What the client has sent behind its request. */
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

  /** Leaves the socket as it came, for somebody else to answer. */
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
