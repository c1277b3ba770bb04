import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { InFlightSet } from "./attempts/in-flight.ts";
import type { NodeRequestHead } from "./client/node/incoming-request.ts";
import { defaults } from "./config/defaults.ts";
import { describeOptions } from "./config/describe-options.ts";
import { durationError, parseDuration } from "./config/duration.ts";
import type { ServerOptions } from "./config/options/server-options.ts";
import type { Duration, ProxyOptions } from "./config/options.ts";
import { resolveOptions } from "./config/resolve.ts";
import type { ResolvedOptions } from "./config/resolved.ts";
import { ProxyError } from "./errors.ts";
import { type ProxyEvents, poolEventNames, type ReloadChanges } from "./events.ts";
import { explain } from "./explain/explain.ts";
import type { ExplainRequest, Explanation } from "./explain/explanation.ts";
import { checkHooks } from "./forward/check-hooks.ts";
import { createForwardContext, type ForwardContext } from "./forward/context.ts";
import type { Hooks } from "./forward/hooks.ts";
import { LimitShares } from "./group-limits/limit-shares.ts";
import { probe } from "./health/probe.ts";
import { ProxyLogs } from "./log/proxy-logs.ts";
import {
  type AppRequest,
  type AppResponse,
  createUpgradeListener,
  type ForwardOptions,
  type ForwardUpgradeOptions,
  forwardClientError,
  forwardRequest,
  forwardUpgrade,
  type UpgradeListener,
  wantsRequest,
} from "./node-listeners.ts";
import { createReporter } from "./observe/create-reporter.ts";
import { ProxyRecords } from "./observe/proxy-records.ts";
import { instrumentIfRegistered } from "./opentelemetry/instrument-if-registered.ts";
import { createOutbound, type Outbound, type OutboundOptions, unknownPoolError } from "./outbound/outbound.ts";
import type { Pool } from "./pool/pool.ts";
import { PoolRegistry } from "./pool-registry.ts";
import type { ProxySurroundings } from "./proxy-surroundings.ts";
import { createRouting } from "./request/create-routing.ts";
import type { Routing } from "./request/routing.ts";
import { SafeEmitter } from "./runtime/emitter.ts";
import { type Runtime, resolveRuntime } from "./runtime/runtime.ts";
import { OpenServers } from "./server/open-servers.ts";
import type { Server, ServerChanges } from "./server/server.ts";
import { ForwardingSink } from "./server-listeners.ts";
import type { FailedRequest, ProxySnapshot } from "./snapshot.ts";
import { Connector } from "./transport/connector.ts";

/**
 * Creates a proxy: pools, their balancers and health checks, and the handlers to mount in a server.
 *
 * Probes start at once. `surroundings` has what is no part of a configuration: hooks, a logger, and for tests a clock and random
 * numbers. Throws an `OptionsError` that names every mistake in the options.
 *
 * @example
 * const proxy = createProxy({ upstreams: ["http://127.0.0.1:3001", "http://127.0.0.1:3002"] });
 * http.createServer(proxy.handler).on("upgrade", proxy.upgrade).on("clientError", proxy.clientError).listen(8080);
 */
export function createProxy(options: ProxyOptions, surroundings: ProxySurroundings = {}): Proxy {
  return new Proxy(options, surroundings);
}

/** A running proxy. Created by `createProxy`. */
export class Proxy extends SafeEmitter<ProxyEvents> implements AsyncDisposable {
  readonly #runtime: Runtime;
  readonly #connector: Connector;
  readonly #registry: PoolRegistry;
  readonly #inFlight = new InFlightSet();
  readonly #context: ForwardContext;
  readonly #servers = new OpenServers();
  readonly #records: ProxyRecords;
  #routing: Routing;
  #options: ResolvedOptions;
  #draining = false;
  /** No new requests are accepted, outbound requests included. */
  #ended = false;
  #closed: Promise<void> | undefined;

  constructor(options: ProxyOptions, surroundings: ProxySurroundings) {
    super();
    checkHooks(surroundings, ["clock", "random", "coordination", "tracing", "logger"]);
    this.#runtime = resolveRuntime(surroundings);
    this.#connector = new Connector(this.#runtime);
    const { tracing = true } = surroundings;
    if (tracing) instrumentIfRegistered();
    const resolved = resolveOptions(options);
    this.#options = resolved;
    this.#records = new ProxyRecords(this.#runtime.clock.wallNow(), resolved.latencyBounds);
    // Before anything is opened: it throws for what is no logger.
    this.logs = new ProxyLogs(this, this.#records.problems, this.#runtime.clock, surroundings.logger);
    this.limitShares = new LimitShares(this.#runtime.clock, () => this.#registry.pools);
    this.#registry = new PoolRegistry(resolved.pools, {
      runtime: this.#runtime,
      connector: this.#connector,
      coordination: surroundings.coordination,
      onAdded: (pool) => {
        this.limitShares.divide(pool);
        for (const event of poolEventNames) pool.on(event, (...args) => this.emit(event, ...args));
      },
      probe: tracing ? undefined : probe,
    });
    this.#routing = createRouting(resolved, this.#registry.current);
    this.#context = this.#createContext(surroundings, tracing);
    this.requests = new ForwardingSink(this.#context);
  }

  /**
   * For `http.createServer`, or as middleware: `next` is called when no route matches; without it the response is 404.
   * Also for the events `checkContinue` and `checkExpectation`: 100 is then sent only when an upstream takes the body.
   */
  readonly handler = (req: AppRequest, res: AppResponse, next?: (error?: unknown) => void): void => {
    forwardRequest(this.#context, req, res, { next });
  };

  /**
   * For a server's `upgrade` event. WebSocket handshakes that a route matches become tunnels. `next` is called, with the
   * socket untouched, when no route matches. Without `next` such an upgrade is left to the server's other listeners. One that
   * no listener takes, and an upgrade to anything but WebSocket, is served as an ordinary request of the server.
   */
  readonly upgrade: UpgradeListener = createUpgradeListener(() => this.#context);

  /** For a server's `clientError` event: sends the proxy's error response for what is no request, and reports it like a request. */
  readonly clientError = (error: Error, socket: Duplex): void => {
    forwardClientError(this.#context, error, socket);
  };

  /** Receives the requests of the servers of `evenkeel/server`. */
  readonly requests: ForwardingSink;

  /** The loggers of the proxy. More may be added. */
  readonly logs: ProxyLogs;

  /** For a proxy that shares its limits with other processes. */
  readonly limitShares: LimitShares;

  /** Serves clients on these addresses, over HTTP/1.1 and, with TLS, HTTP/2, until `close`. Throws a `ListenError`. */
  async listen(listen: ServerOptions["listen"], options: ServerChanges = {}): Promise<Server> {
    if (this.#draining) throw new ProxyError("closed", "the proxy is closing");
    return this.#servers.open(this, listen, options);
  }

  /** `handler` for adapters, with what they know of a request beside the request. */
  forward(req: AppRequest, res: AppResponse, options: ForwardOptions = {}): void {
    forwardRequest(this.#context, req, res, options);
  }

  /**
   * `upgrade` for adapters. Without `options.next`, a handshake that no route matches is 404. Returns false when it was left
   * to `options.next`.
   */
  forwardUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer, options: ForwardUpgradeOptions = {}): boolean {
    return forwardUpgrade(this.#context, req, socket, head, options);
  }

  /** Whether the proxy would respond to a request below `mountPath` rather than call `next`. */
  matches(req: NodeRequestHead | AppRequest, mountPath = ""): boolean {
    return wantsRequest(req, this.#routing, mountPath);
  }

  /** The pools in force, by name. */
  get pools(): ReadonlyMap<string, Pool> {
    return this.#registry.pools;
  }

  /**
   * A pool for requests of the app's own, with the balancer, the connections, the limits and the verdicts that forwarded
   * requests have. It follows reloads, and works until `close` has waited for what is on its way. Throws an `OptionsError`
   * for a pool that does not exist.
   */
  outbound(pool: string, options: OutboundOptions = {}): Outbound {
    const { current } = this.#registry;
    if (!current.has(pool)) throw unknownPoolError(pool, [...current.keys()]);
    const to = () => {
      if (this.#ended) throw new ProxyError("closed", "the proxy is closed");
      return current.get(pool);
    };
    const context = { runtime: this.#runtime, inFlight: this.#inFlight, tracing: this.#context.tracing, to };
    return createOutbound(pool, context, options);
  }

  /** `close` has been called: responses have `Connection: close`, and load balancers in front should use other instances. */
  get draining(): boolean {
    return this.#draining;
  }

  /**
   * Replaces the options for new requests, and returns what changed.
   *
   * They are checked first: an `OptionsError` changes nothing. Requests in flight keep the options that they began with. An
   * upstream whose pool, id and URL stay keeps its health, counters, sockets and tunnels; a removed one drains.
   */
  reload(options: ProxyOptions): ReloadChanges {
    try {
      if (this.#draining) throw new ProxyError("closed", "the proxy is closing");
      const changes = this.#apply(resolveOptions(options));
      this.#records.reloads.countSuccess();
      this.emit("reload", { ok: true, changes });
      return changes;
    } catch (error) {
      this.reloadFailed(error);
      throw error;
    }
  }

  /**
   * Reports a reload that failed before there were options to check, such as a file that cannot be read. Emits `reload` with
   * `ok: false` and counts a failed reload, as `reload` does for wrong options. The options in force stay in force.
   * An error that is no `ProxyError` is reported as the `cause` of one with the code `invalid_options`. Returns the error
   * that was emitted.
   */
  reloadFailed(error: unknown): ProxyError {
    const reported = this.#records.reloads.countFailure(error);
    this.emit("reload", { ok: false, error: reported });
    return reported;
  }

  /** The state of the proxy at this moment, as plain frozen data. */
  snapshot(): ProxySnapshot {
    const pools = [...this.#registry.current.values()];
    const snapshots = pools.map(({ pool, balancer }) => pool.snapshot(balancer.policy.name));
    return this.#records.snapshot(this.#runtime.clock.wallNow(), this.#draining, snapshots);
  }

  /**
   * The options in force as plain JSON, in the words and units of a configuration file, with defaults filled in and secrets
   * masked. What has changed at run time, such as weights, is in `snapshot`.
   */
  describeOptions(): Readonly<Record<string, unknown>> {
    return describeOptions(this.#options);
  }

  /** The last failed requests, the newest first: at most 100, of which at most 20 failed because of their client. */
  recentFailures(): readonly FailedRequest[] {
    return this.#records.failures.list();
  }

  /**
   * Explains what would happen to a request now: its route, its pool, and for each upstream the reasons for and against it.
   * Sends nothing and changes nothing. Throws an `OptionsError` for an invalid description of a request.
   */
  explain(request: ExplainRequest): Explanation {
    return explain(request, this.#routing, this.#runtime.clock.wallNow());
  }

  /**
   * Drains and closes: waits for requests and tunnels in flight, at most `timeout`, then ends those that are left (tunnels with
   * a WebSocket close 1001), stops probes and closes every connection. A second call ends them after its own `timeout` if that
   * is sooner. Servers of `listen` close too. The caller closes any other one; until then the proxy responds to new requests
   * with `Connection: close`.
   */
  close({ timeout = defaults.closeTimeout }: { readonly timeout?: Duration } = {}): Promise<void> {
    const timeoutMs = parseDuration(timeout);
    if (timeoutMs === undefined) return Promise.reject(durationError(timeout, "timeout"));
    if (this.#closed === undefined) this.#closed = this.#drainAndClose(timeoutMs);
    else this.#runtime.clock.setTimeout(() => this.#inFlight.hurry(), timeoutMs);
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #drainAndClose(timeoutMs: number): Promise<void> {
    this.#draining = true;
    this.#registry.stop();
    if (this.#servers.size > 0) await this.#servers.stop(timeoutMs);
    // Requests received in this turn of the event loop are still served.
    await new Promise((resolve) => setImmediate(resolve));
    await this.#inFlight.drain(timeoutMs, this.#runtime.clock, () => {
      this.#ended = true;
    });
    this.#registry.close();
    this.#connector.stop();
    this.limitShares.stop();
    this.logs.close();
    if (this.#servers.size > 0) await this.#servers.end(this.#runtime.clock);
  }

  #apply(resolved: ResolvedOptions): ReloadChanges {
    const changes = this.#registry.apply(resolved.pools);
    this.#connector.refresh();
    this.#records.metrics.setLatencyBounds(resolved.latencyBounds);
    this.#options = resolved;
    this.#routing = createRouting(resolved, this.#registry.current);
    return { ...changes, routes: resolved.routes.length };
  }

  #createContext(hooks: Hooks, tracing: boolean): ForwardContext {
    const reporter = createReporter(
      this.#records,
      { hasListeners: (name) => this.hasListeners(name), emit: (name, ...args) => this.emit(name, ...args) },
      this.#runtime.clock,
    );
    const parts = { runtime: this.#runtime, hooks, inFlight: this.#inFlight, tracing, reporter };
    return createForwardContext(parts, { routing: () => this.#routing, draining: () => this.#draining });
  }
}
