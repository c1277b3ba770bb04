/**
 * The outage of a pool: no upstream can be connected, and requests wait for that to end.
 *
 * It begins with the first connect failure after a success of the pool, and ends with the next success. So a restart of the
 * only upstream costs no request, and a long outage is answered at once. A pool that has had no success yet has no outage.
 *
 * While requests wait, one of them connects again at growing intervals. Each connection that succeeds lets some more go on,
 * so that an upstream that is just back gets them in doubling numbers rather than all at once.
 */

import { limits } from "../../config/defaults.ts";
import type { ErrorCode } from "../../errors.ts";
import { AsyncContext, inBackground } from "../../runtime/async-context.ts";
import type { Timer } from "../../runtime/clock.ts";
import type { OutageSnapshot } from "../../snapshot.ts";
import type { PoolContext } from "../pool-context.ts";
import type { Upstream } from "../upstream.ts";

/** A request that waits for the end of an outage. */
export interface Reconnecting {
  /** The only upstream that it can use. Default: any. */
  readonly waitsFor?: Upstream | undefined;
  /** Connect again now. The request keeps its place until it leaves. */
  onReconnect(): void;
  /** The wait is over. Undefined: the outage has lasted too long, and the last failure is the result. */
  onWaitOver(code: ErrorCode | undefined): void;
}

interface Place {
  readonly until: number;
  /** The request's own: another one's success may let it go on. */
  readonly context: AsyncContext;
  /** The request is connecting, and waits for nothing. */
  connecting: boolean;
}

export class Outage {
  readonly #context: PoolContext;
  readonly #usable: () => boolean;
  readonly #places = new Map<Reconnecting, Place>();
  /** On the monotonic clock. Undefined while the last attempt to tell was a success, -Infinity before the first success. */
  #since: number | undefined = -Infinity;
  #sinceWall = 0;
  /** How often a request has connected again in this outage. */
  #rounds = 0;
  #timer: Timer;
  #toRelease = 0;
  #releaseTimer: Timer;
  #closed = false;

  /** `usable` says whether the pool has an upstream left that a request may use. */
  constructor(context: PoolContext, usable: () => boolean) {
    this.#context = context;
    this.#usable = usable;
  }

  /** Requests that wait or connect again. */
  get depth(): number {
    return this.#places.size;
  }

  /** Null while no connect failure stands behind the last success. */
  get snapshot(): OutageSnapshot | null {
    if (this.#since === undefined || this.#since === -Infinity) return null;
    const { clock } = this.#context.runtime;
    const leftMs = this.#since + this.#connectForMs - clock.now();
    const until = leftMs > 0 ? clock.wallNow() + leftMs : null;
    return Object.freeze({ since: this.#sinceWall, waiting: this.depth, until });
  }

  onConnectFailure(): void {
    if (this.#since !== undefined) return;
    this.#since = this.#context.runtime.clock.now();
    this.#sinceWall = this.#context.runtime.clock.wallNow();
  }

  /** An upstream was connected or has responded. */
  onSuccess(upstream: Upstream): void {
    if (this.#since === undefined && this.#places.size === 0) return;
    this.#since = undefined;
    this.#rounds = 0;
    if (this.#places.size > 0) this.#release(upstream);
  }

  /** Shows that the pool is in service. Does not end an outage: probes may go to another port. */
  onProbeSuccess(): void {
    if (this.#since === -Infinity) this.#since = undefined;
  }

  /**
   * Lets a request wait, at most until `until` on the monotonic clock. False when it may not: the outage is too old, as many
   * requests wait as `queue.max` allows, or the pool closes. A request that comes back keeps its place.
   */
  enter(request: Reconnecting, until: number): boolean {
    const now = this.#context.runtime.clock.now();
    const ends = Math.min(until, (this.#since ?? now) + this.#connectForMs);
    const hasRoom = this.#places.has(request) || this.#places.size < this.#context.options.queue.max;
    if (this.#closed || ends <= now || !hasRoom) return false;
    this.#places.set(request, { until: ends, context: new AsyncContext(), connecting: false });
    if (this.#timer === undefined) this.#schedule();
    return true;
  }

  /** For a request that has a connection, or has ended. */
  leave(request: Reconnecting): void {
    if (this.#places.size === 0 || !this.#places.delete(request) || this.#places.size > 0) return;
    this.#stop();
  }

  /** Ends every wait, and lets no request wait any more. */
  close(): void {
    this.#closed = true;
    this.#end("closed");
  }

  get #connectForMs(): number {
    return this.#context.options.retry.connectForMs;
  }

  /** For the next request to connect again, or the end of a wait that comes before. */
  #schedule(): void {
    const { clock, random } = this.#context.runtime;
    const { reconnectMinMs, reconnectMaxMs } = limits;
    const pauseMs = Math.min(reconnectMaxMs, reconnectMinMs * 1.5 ** this.#rounds) * (0.5 + random() / 2);
    let at = clock.now() + pauseMs;
    for (const { until, connecting } of this.#places.values()) if (!connecting) at = Math.min(at, until);
    this.#timer = inBackground(() => clock.setTimeout(() => this.#tick(), at - clock.now()));
  }

  #tick(): void {
    this.#timer = undefined;
    if (!this.#usable()) return this.#end("none_available");
    const now = this.#context.runtime.clock.now();
    for (const [request, place] of this.#waiting()) {
      if (place.until <= now) this.#giveUp(request, place, undefined);
    }
    const [next] = this.#waiting();
    if (next === undefined) return;
    this.#rounds++;
    this.#reconnect(...next);
    if (this.#timer === undefined && this.#places.size > 0) this.#schedule();
  }

  /** Not within the stack of the request that has succeeded. */
  #release(upstream: Upstream): void {
    this.#toRelease += limits.reconnectsPerSuccess;
    this.#releaseTimer ??= inBackground(() =>
      this.#context.runtime.clock.setTimeout(() => this.#releaseNext(upstream), 0),
    );
  }

  #releaseNext(upstream: Upstream): void {
    let left = this.#toRelease;
    this.#toRelease = 0;
    this.#releaseTimer = undefined;
    for (const [request, place] of this.#waiting()) {
      if (left === 0) return;
      const concerned = request.waitsFor === undefined || request.waitsFor === upstream;
      if (!concerned || this.#places.get(request) !== place || place.connecting) continue;
      left--;
      this.#reconnect(request, place);
    }
  }

  #reconnect(request: Reconnecting, place: Place): void {
    place.connecting = true;
    place.context.run(request.onReconnect, request);
  }

  /** A list of its own: requests leave and come back meanwhile. */
  #waiting(): [Reconnecting, Place][] {
    return [...this.#places].filter(([, { connecting }]) => !connecting);
  }

  #giveUp(request: Reconnecting, place: Place, code: ErrorCode | undefined): void {
    if (this.#places.delete(request)) place.context.run(request.onWaitOver, request, code);
  }

  #end(code: ErrorCode): void {
    for (const [request, place] of this.#waiting()) this.#giveUp(request, place, code);
    if (this.#places.size === 0) this.#stop();
  }

  #stop(): void {
    const { clock } = this.#context.runtime;
    clock.clearTimeout(this.#timer);
    clock.clearTimeout(this.#releaseTimer);
    this.#timer = undefined;
    this.#releaseTimer = undefined;
    this.#toRelease = 0;
  }
}
