import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import type { RequestSink } from "../client/server/request-sink.ts";
import { defaults } from "../config/defaults.ts";
import { durationError, parseDuration } from "../config/duration.ts";
import { OptionsError } from "../config/issues.ts";
import type { ListenAddress } from "../config/listen-address.ts";
import type { ServerOptions, ServerTlsOptions } from "../config/options/server-options.ts";
import type { Duration } from "../config/options.ts";
import { TrustedProxies } from "../request/client-address.ts";
import { backgroundClock, inBackground } from "../runtime/async-context.ts";
import type { Clock } from "../runtime/clock.ts";
import { SafeEmitter } from "../runtime/emitter.ts";
import { connectionBudget, descriptorLimit } from "./connection-budget.ts";
import { ConnectionTable } from "./connection-table.ts";
import { HoldingSink } from "./holding-sink.ts";
import { limits } from "./limits.ts";
import { Listener, type ListenerContext } from "./listener.ts";
import { type Protocols, protocols } from "./protocols.ts";
import { ServerCounts } from "./server-counts.ts";
import type { ServerEvents, ServerStatus } from "./server-events.ts";
import { resolveSettings, type ServerSettings } from "./server-settings.ts";
import type { FindInherited } from "./sockets/inherited-socket.ts";
import { type ListeningHandle, toListenTargets } from "./sockets/listen.ts";

/** What a server needs of a proxy. */
export interface ServedProxy {
  /** Receives the requests. `clock` measures their time. */
  readonly requests: RequestSink & { readonly clock: Clock };
}

/** Of `tls.Server.getTicketKeys`. */
const ticketKeyBytes = 48;

/** What may change while a server listens: everything but the addresses. */
export type ServerChanges = Omit<ServerOptions, "listen">;

export interface ListenOptions {
  /** Returns the listening sockets that another process has opened. */
  readonly inherited?: FindInherited;
  /**
   * Awaited when every address is open, before Unix sockets get their paths and the first connection is served: for what else
   * may fail in a start that takes over the sockets of another process.
   */
  readonly beforeServing?: () => Promise<void>;
  /** `Server.ticketKeys` of another process: clients continue TLS sessions that have begun there. Default: random. */
  readonly ticketKeys?: Buffer;
}

/**
 * Makes a server for a proxy, which does not listen yet. It speaks HTTP/1.1 and HTTP/2 without Node's HTTP server. Throws an
 * `OptionsError` that names every mistake in the options.
 *
 * @example
 * const server = createServer(proxy, { listen: "127.0.0.1:8080" });
 * await server.listen();
 */
export function createServer(proxy: ServedProxy, options: ServerOptions): Server {
  return new Server(proxy, options, protocols);
}

/** The types say the same, but not to JavaScript. */
function requestsOf(proxy: Partial<ServedProxy> | undefined): ServedProxy["requests"] {
  if (proxy?.requests?.clock !== undefined) return proxy.requests;
  throw new TypeError("expected a proxy of `createProxy` as the first argument");
}

function checkTicketKeys(keys: Buffer): Buffer {
  if (keys.length === ticketKeyBytes) return keys;
  throw new TypeError(`expected ${ticketKeyBytes} bytes of ticket keys, found ${keys.length}`);
}

/** A server for clients. Made by `createServer` and by `proxy.listen`. */
export class Server extends SafeEmitter<ServerEvents> implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #sink: HoldingSink;
  readonly #table: ConnectionTable;
  readonly #protocols: Protocols;
  readonly #descriptors = descriptorLimit();
  readonly #counts: ServerCounts;
  readonly #listeners: Listener[] = [];
  readonly #addresses: ServerOptions["listen"];
  #ticketKeys: Buffer = randomBytes(ticketKeyBytes);
  #settings: ServerSettings;
  #proxies: TrustedProxies;
  #state: "new" | "listening" | "stopping" | "destroyed" = "new";
  #stopped: Promise<void> | undefined;
  #finished: Promise<void> | undefined;

  constructor(proxy: ServedProxy, options: ServerOptions, protocols: Protocols) {
    super();
    const requests = requestsOf(proxy);
    this.#settings = resolveSettings(options);
    this.#addresses = options.listen;
    this.#proxies = new TrustedProxies(this.#settings.proxyProtocol);
    this.#clock = backgroundClock(requests.clock);
    this.#sink = new HoldingSink(requests);
    this.#protocols = protocols;
    const budget = connectionBudget(this.#settings.maxConnections, this.#descriptors);
    this.#counts = new ServerCounts((name, ...args) => this.emit(name, ...args));
    this.#table = new ConnectionTable(budget, this.#clock, this.#counts);
  }

  /** The secret keys of TLS session tickets, for other processes that serve the same clients. */
  get ticketKeys(): Buffer {
    return this.#ticketKeys;
  }

  /**
   * Listens on all addresses. Inherited sockets are in use before this call returns its promise. Throws a `ListenError` for an
   * address that cannot be used; nothing stays open then.
   */
  async listen({ inherited, beforeServing, ticketKeys }: ListenOptions = {}): Promise<this> {
    this.#start(ticketKeys);
    const opening = this.#listeners.map((listener, index) => {
      const address = this.#settings.addresses[index] as ListenAddress;
      return inBackground(() => listener.open(inherited?.(address)));
    });
    try {
      const outcomes = await Promise.allSettled(opening);
      this.#checkOpen();
      for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
      if (beforeServing !== undefined) {
        await beforeServing();
        this.#checkOpen();
      }
      // Last, so that a failed start replaces no Unix socket of a predecessor.
      for (const listener of this.#listeners) inBackground(() => listener.publish());
    } catch (error) {
      this.destroy();
      this.#listeners.length = 0;
      throw error;
    }
    return this;
  }

  /** Starts without a listening socket: another process listens, and `accept` gets its connections. */
  openWithoutListening({ ticketKeys }: Pick<ListenOptions, "ticketKeys"> = {}): this {
    this.#start(ticketKeys);
    return this;
  }

  /** Serves a connection that another process has accepted on the address with this index. After `destroy` it is closed. */
  accept(index: number, socket: Socket): void {
    const listener = this.#listeners[index];
    if (listener === undefined) throw new RangeError(`the server has no address ${index}`);
    inBackground(() => listener.accept(socket));
  }

  /** The listening sockets that another process can take over: TCP sockets, and Unix sockets that this process has inherited. */
  listeningSockets(): readonly ListeningHandle[] {
    return this.#listeners.flatMap(({ handle }) => handle ?? []);
  }

  /** The URLs of the addresses, with the ports that the system chose; "unix:" and a path for a Unix socket. */
  get urls(): readonly string[] {
    return this.#listeners.map(({ url }) => url).filter((url) => url !== "");
  }

  /**
   * Replaces all options but the addresses, for new connections; `maxConnections` for all. Whether there is TLS cannot change.
   * Throws an `OptionsError`, and changes nothing then.
   */
  configure(changes: ServerChanges): void {
    const settings = resolveSettings({ ...changes, listen: this.#addresses });
    if ((settings.certificates === undefined) !== (this.#settings.certificates === undefined)) {
      throw new OptionsError([{ path: ["tls"], message: "TLS cannot be switched on or off while the server listens" }]);
    }
    this.#apply(settings);
  }

  /** Presents other certificates to new connections. Throws an `OptionsError`, and changes nothing then. */
  renewTls(tls: ServerTlsOptions): void {
    const { certificates } = resolveSettings({ listen: this.#addresses, tls });
    if (this.#settings.certificates === undefined) {
      throw new OptionsError([{ path: ["tls"], message: "TLS cannot be switched on while the server listens" }]);
    }
    this.#apply({ ...this.#settings, certificates });
  }

  /** The state of the server at this moment. */
  status(): ServerStatus {
    return this.#counts.status(this.#table, this.#descriptors);
  }

  /**
   * Stops accepting connections, after those that the system has queued; if the sockets were handed over to another process, it
   * accepts the queued ones. Requests are held until `finish`: after each response a client may open the next connection.
   */
  stopAccepting({ handedOver = false }: { readonly handedOver?: boolean } = {}): Promise<void> {
    this.#stopped ??= this.#stopAccepting(handedOver);
    return this.#stopped;
  }

  /**
   * Closes every connection after its next response, and those without a request after a grace period. Resolves when the last
   * one is closed. Before: `stopAccepting`.
   */
  finish(graceMs: number = limits.keepAliveGraceMs): Promise<void> {
    this.#finished ??= this.#finish(Math.min(graceMs, limits.keepAliveGraceMs));
    return this.#finished;
  }

  /** Drains and closes: waits for requests and tunnels in flight, at most `timeout`, then ends those that are left. */
  async close({ timeout = defaults.closeTimeout }: { readonly timeout?: Duration } = {}): Promise<void> {
    const timeoutMs = parseDuration(timeout);
    if (timeoutMs === undefined) throw durationError(timeout, "timeout");
    const timer = this.#clock.setTimeout(() => this.destroy(), timeoutMs);
    await this.stopAccepting();
    await this.finish(timeoutMs);
    this.#clock.clearTimeout(timer);
  }

  /** Closes everything at once, even with requests in flight. */
  destroy(): void {
    this.#state = "destroyed";
    this.#sink.release();
    for (const listener of this.#listeners) listener.destroy();
  }

  #start(ticketKeys: Buffer | undefined): void {
    if (this.#state === "listening") throw new Error("the server has been started already");
    this.#checkOpen();
    if (ticketKeys !== undefined) this.#ticketKeys = checkTicketKeys(ticketKeys);
    this.#state = "listening";
    const context = this.#createContext();
    for (const address of toListenTargets(this.#settings.addresses)) {
      this.#listeners.push(inBackground(() => new Listener(address, context)));
    }
  }

  #checkOpen(): void {
    if (this.#state === "stopping" || this.#state === "destroyed") throw new Error("the server was closed");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #stopAccepting(handedOver: boolean): Promise<void> {
    if (this.#state !== "destroyed") this.#state = "stopping";
    this.#sink.hold();
    await Promise.all(this.#listeners.map((listener) => listener.stopAccepting(handedOver)));
  }

  async #finish(graceMs: number): Promise<void> {
    for (const listener of this.#listeners) listener.closeAfterResponses();
    this.#sink.release();
    let closed = false;
    const sweep = () => {
      if (closed) return;
      for (const listener of this.#listeners) listener.closeUnused();
      this.#clock.setTimeout(sweep, limits.idleCheckMs);
    };
    this.#clock.setTimeout(sweep, graceMs);
    await Promise.all(this.#listeners.map((listener) => listener.closed()));
    closed = true;
  }

  #apply(settings: ServerSettings): void {
    this.#settings = settings;
    this.#proxies = new TrustedProxies(settings.proxyProtocol);
    this.#table.budget = connectionBudget(settings.maxConnections, this.#descriptors);
    for (const listener of this.#listeners) listener.configure();
  }

  #createContext(): ListenerContext {
    const server = this;
    return {
      clock: this.#clock,
      sink: this.#sink,
      table: this.#table,
      protocols: this.#protocols,
      events: this.#counts,
      ticketKeys: this.#ticketKeys,
      get settings() {
        return server.#settings;
      },
      get proxies() {
        return server.#proxies;
      },
    };
  }
}
