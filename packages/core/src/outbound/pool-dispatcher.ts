import { Dispatcher } from "undici";
import type { InFlight, InFlightSet } from "../attempts/in-flight.ts";
import type { BalancedPool } from "../attempts/upstream-selector.ts";
import { ProxyError } from "../errors.ts";
import type { Pool } from "../pool/pool.ts";
import { hasParentSegment } from "../request/route-match.ts";
import { IndexedSet } from "../runtime/indexed-set.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type Caller, callerOf } from "./handler-adapter.ts";
import type { OriginNames } from "./origin-names.ts";
import { readOutboundHead } from "./outbound-head.ts";
import { OutboundRequest } from "./outbound-request.ts";

/** What a dispatcher sends for. */
export interface OutboundHost {
  readonly runtime: Runtime;
  /** Where requests go now; undefined when the pool is gone. Throws a `ProxyError` when everything is. */
  to(): BalancedPool | undefined;
  /** Whoever waits for what is on its way before it closes. */
  readonly active?: InFlightSet;
}

/** An undici `Dispatcher` whose requests go to the upstreams of a pool. It owns no connections: they are the pool's. */
export class PoolDispatcher extends Dispatcher {
  readonly #host: OutboundHost;
  readonly #names: OriginNames;
  readonly #requests = new IndexedSet<OutboundRequest>();
  /** All of them, for whoever closes. */
  readonly #work: InFlight = { destroy: () => this.#destroyAll() };
  #closed = false;
  #onIdle: (() => void)[] = [];

  constructor(host: OutboundHost, names: OriginNames) {
    super();
    this.#host = host;
    this.#names = names;
  }

  /** Always true: whoever finds no room waits in the pool's queue, or hears that it is full. */
  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const caller = callerOf(handler);
    let request: OutboundRequest;
    try {
      request = this.#create(options, caller);
    } catch (error) {
      caller.fail(error as Error);
      return true;
    }
    this.#requests.add(request);
    this.#host.active?.add(this.#work);
    request.start();
    return true;
  }

  /** Takes nothing new, and resolves when what is on its way has ended. The pool stays open. */
  override close(): Promise<void>;
  override close(callback: () => void): void;
  override close(callback?: () => void): Promise<void> | undefined {
    this.#closed = true;
    return settleBy(this.#idle(), callback);
  }

  /** Takes nothing new, and ends what is on its way. The pool stays open. */
  override destroy(error?: Error | null): Promise<void>;
  override destroy(callback: () => void): void;
  override destroy(error: Error | null, callback: () => void): void;
  override destroy(error?: Error | null | (() => void), callback?: () => void): Promise<void> | undefined {
    this.#closed = true;
    this.#destroyAll(error instanceof Error ? error : undefined);
    return settleBy(this.#idle(), typeof error === "function" ? error : callback);
  }

  #create(options: Dispatcher.DispatchOptions, caller: Caller): OutboundRequest {
    if (this.#closed) throw new ProxyError("closed", "the dispatcher is closed");
    const { runtime } = this.#host;
    const to = this.#host.to();
    if (to === undefined) throw new ProxyError("none_available", "the pool is gone");
    this.#names.check(options.origin, to.pool);
    const head = readOutboundHead(options);
    if (hasParentSegment(head.path) && hasBasePath(to.pool)) {
      throw new ProxyError("bad_request", `a ".." could lead out of the path of an upstream: ${head.path}`);
    }
    return new OutboundRequest(to, runtime, head, options.body, caller, (request) => this.#onOver(request));
  }

  #destroyAll(error?: Error): void {
    this.#requests.forEach((request) => {
      if (error === undefined) request.destroy();
      else request.abort(error);
    });
  }

  #onOver(request: OutboundRequest): void {
    this.#requests.delete(request);
    if (this.#requests.size > 0) return;
    this.#host.active?.delete(this.#work);
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

/** Both of undici's ways to wait. */
function settleBy(done: Promise<void>, callback: (() => void) | undefined): Promise<void> | undefined {
  if (callback === undefined) return done;
  void done.then(callback);
  return undefined;
}
