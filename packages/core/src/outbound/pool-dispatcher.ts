import { Dispatcher } from "undici";
import type { InFlight, InFlightSet } from "../attempts/in-flight.ts";
import type { BalancedPool } from "../attempts/upstream-selector.ts";
import { ProxyError } from "../errors.ts";
import type { Pool } from "../pool/pool.ts";
import { hasParentSegment } from "../request/route-match.ts";
import { IndexedSet } from "../runtime/indexed-set.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { tracesRequests } from "../tracing/channels.ts";
import { TracedRequest } from "../tracing/traced-request.ts";
import { adaptHandler, type HandlerAdapter } from "./handler-adapter.ts";
import type { OriginNames } from "./origin-names.ts";
import { type OutboundHead, readOutboundHead } from "./outbound-head.ts";
import { OutboundRequest } from "./outbound-request.ts";

/** What a dispatcher needs from its proxy. */
export interface OutboundContext {
  readonly runtime: Runtime;
  /** Returns the pool, or undefined when a reload has removed it. Throws a `ProxyError` when the proxy is closed. */
  to(): BalancedPool | undefined;
  /** False: requests are published on no diagnostics channel. Default: true. */
  readonly tracing?: boolean;
  /** The requests that the proxy waits for when it closes. */
  readonly inFlight?: InFlightSet;
}

/** An undici `Dispatcher` that sends requests to the upstreams of a pool. The pool owns the connections. */
export class PoolDispatcher extends Dispatcher {
  readonly #context: OutboundContext;
  readonly #names: OriginNames;
  readonly #requests = new IndexedSet<OutboundRequest>();
  /** All requests of this dispatcher, as one member of the proxy's set. */
  readonly #entry: InFlight = { destroy: () => this.#destroyAll() };
  #closed = false;
  #onIdle: (() => void)[] = [];

  constructor(context: OutboundContext, names: OriginNames) {
    super();
    this.#context = context;
    this.#names = names;
  }

  /** Always true: backpressure is the pool's queue, and a full queue is an error of the request. */
  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const adapter = adaptHandler(handler);
    let request: OutboundRequest;
    try {
      request = this.#create(options, adapter);
    } catch (error) {
      adapter.fail(error as Error);
      return true;
    }
    this.#requests.add(request);
    this.#context.inFlight?.add(this.#entry);
    request.start();
    return true;
  }

  /** Refuses new requests, and resolves when those in flight have ended. The pool stays open. */
  override close(): Promise<void>;
  override close(callback: () => void): void;
  override close(callback?: () => void): Promise<void> | undefined {
    this.#closed = true;
    return settleBy(this.#idle(), callback);
  }

  /** Refuses new requests, and ends those in flight. The pool stays open. */
  override destroy(error?: Error | null): Promise<void>;
  override destroy(callback: () => void): void;
  override destroy(error: Error | null, callback: () => void): void;
  override destroy(error?: Error | null | (() => void), callback?: () => void): Promise<void> | undefined {
    this.#closed = true;
    this.#destroyAll(error instanceof Error ? error : undefined);
    return settleBy(this.#idle(), typeof error === "function" ? error : callback);
  }

  #create(options: Dispatcher.DispatchOptions, adapter: HandlerAdapter): OutboundRequest {
    if (this.#closed) throw new ProxyError("closed", "the dispatcher is closed");
    const { runtime, tracing } = this.#context;
    const to = this.#context.to();
    if (to === undefined) throw new ProxyError("none_available", "the pool does not exist any more");
    this.#names.check(options.origin, to.pool);
    const head = readOutboundHead(options);
    if (hasParentSegment(head.path) && hasBasePath(to.pool)) {
      throw new ProxyError("bad_request", `".." could leave the base path of an upstream: ${head.path}`);
    }
    const trace = tracing !== false && tracesRequests() ? traceOf(head, to.pool) : undefined;
    return new OutboundRequest(to, runtime, head, options.body, adapter, (request) => this.#onEnded(request), trace);
  }

  #destroyAll(error?: Error): void {
    this.#requests.forEach((request) => {
      if (error === undefined) request.destroy();
      else request.abort(error);
    });
  }

  #onEnded(request: OutboundRequest): void {
    this.#requests.delete(request);
    if (this.#requests.size > 0) return;
    this.#context.inFlight?.delete(this.#entry);
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  #idle(): Promise<void> {
    if (this.#requests.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
    });
  }
}

function hasBasePath(pool: Pool): boolean {
  return pool.upstreams.some(({ address }) => address.basePath !== "");
}

function traceOf({ method, path, query, host = "", headers }: OutboundHead, pool: Pool): TracedRequest {
  return new TracedRequest({
    kind: "outbound",
    requestId: undefined,
    behindApp: true,
    method,
    scheme: "http",
    host,
    path,
    query,
    httpVersion: "",
    client: "",
    peer: "",
    headers,
    route: undefined,
    pool: pool.name,
  });
}

/** undici reports the end by a promise or by a callback. */
function settleBy(done: Promise<void>, callback: (() => void) | undefined): Promise<void> | undefined {
  if (callback === undefined) return done;
  void done.then(callback);
  return undefined;
}
