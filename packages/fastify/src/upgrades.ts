/**
 * Upgrades on their way through fastify. Node hands them to listeners of the server, past fastify and its hooks; here they
 * are routed like any other request, so that hooks and constraints apply, and the handler finds the socket by the request.
 *
 * An upgrade that lies under one of our prefixes is seen by nobody else: other listeners (@fastify/websocket, a server of
 * the ws package) answer whatever is shown to them. All others are seen by all others. When nobody else listens, they are
 * ordinary requests, as they would be if we did not listen either.
 */

import { type IncomingMessage, type Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { endLingering } from "evenkeel";
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
  readonly #prefixes: Prefix[] = [];
  readonly #routes = new Set<string>();
  readonly #onTheirWay = new WeakMap<IncomingMessage, Upgrade>();

  constructor(app: FastifyInstance, server: Server) {
    this.#app = app;
    const emit = server.emit.bind(server) as (event: string | symbol, ...args: unknown[]) => boolean;
    server.emit = (event: string | symbol, ...args: unknown[]) => {
      if (event === "upgrade" && this.#isOurs(args[0] as IncomingMessage)) {
        this.#route(...(args as [IncomingMessage, Socket, Buffer]));
        return true;
      }
      return emit(event, ...args);
    };
    server.on("upgrade", (req, socket, head) => {
      if (server.listenerCount("upgrade") === 1) this.#route(req, socket as Socket, head);
    });
  }

  /** Makes the upgrades under a prefix ours, with the routes that lead to our handler. */
  add(prefix: Prefix, routes: readonly string[]): void {
    this.#prefixes.push(prefix);
    for (const route of routes) this.#routes.add(route);
  }

  /** The upgrade that has reached a handler as this request, off the response that fastify would have answered with. */
  take(req: IncomingMessage): Upgrade | undefined {
    const upgrade = this.#onTheirWay.get(req);
    upgrade?.release();
    return upgrade;
  }

  #isOurs({ url = "" }: IncomingMessage): boolean {
    const path = url.replace(/[?#].*$/s, "");
    // A route of the app's own below our prefix, as of @fastify/websocket, is for whoever has made it.
    return this.#prefixes.some((prefix) => prefix.covers(url)) && (this.#routes.has(path) || !this.#hasAppRoute(path));
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
    // The client did not wait for the answer to an earlier request, which is still being written to this socket.
    if ((socket as { _httpMessage?: unknown })._httpMessage) return void socket.destroy();
    const upgrade = new Upgrade(req, socket, head);
    this.#onTheirWay.set(req, upgrade);
    this.#app.routing(req, upgrade.res);
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
