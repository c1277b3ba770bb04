/**
 * The outage of a pool: no upstream can be connected, and requests wait for its end.
 *
 * It begins with the first connect failure after a success of the pool, and ends with the next success. So a restart of the
 * only upstream fails no request, and in a long outage requests fail at once. A pool without any success has no outage.
 *
 * While requests wait, one of them connects again at growing intervals. Each successful connection releases some more, so
 * that an upstream that is back gets the waiting requests in doubling numbers instead of all at once.
 */

import { limits } from "../../config/defaults.ts";
import type { ErrorCode } from "../../errors.ts";
import { AsyncContext, inBackground } from "../../runtime/async-context.ts";
import type { Timer } from "../../runtime/clock.ts";
import type { OutageSnapshot } from "../../snapshot.ts";
import type { PoolContext } from "../pool-context.ts";
import type { Upstream } from "../upstream.ts";
import type { WaitQueue } from "./wait-queue.ts";

/** A request that waits for the end of an outage. */
export interface OutageWaiter {
  /** The only upstream that it can use. Default: any. */
  readonly waitsFor?: Upstream | undefined;
  /** Connect again now. The request keeps its place until `leave`. */
  onReconnect(): void;
  /** The wait has ended. Undefined: it has lasted too long, and the last failure is the error. */
  onWaitOver(code: ErrorCode | undefined): void;
}

/** The place of a waiting request. */
interface Place {
  readonly until: number;
  /** The async context of the request, since the success of another request may release it. */
  readonly context: AsyncContext;
  /** The request is connecting again. */
  connecting: boolean;
}

export class Outage {
  readonly #context: PoolContext;
  readonly #queue: WaitQueue;
  readonly #usable: () => boolean;
  readonly #places = new Map<OutageWaiter, Place>();
  /** On the monotonic clock. Undefined after a success, -Infinity before the first success. */
  #since: number | undefined = -Infinity;
  #sinceWall = 0;
  /** Number of reconnects in this outage. */
  #rounds = 0;
  #timer: Timer;
  /** The time of the timer. */
  #tickAt = Infinity;
  #toRelease = 0;
  #releaseTimer: Timer;
  #closed = false;

  /** At most as many requests wait as `queue` may have. `usable`: whether the pool has an upstream that a request may use. */
  constructor(context: PoolContext, queue: WaitQueue, usable: () => boolean) {
    this.#context = context;
    this.#queue = queue;
    this.#usable = usable;
  }

  /** The number of requests that wait or connect again. */
  get depth(): number {
    return this.#places.size;
  }

  /** Null without an outage. */
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

  /** Counts as the first success of the pool. Does not end an outage, since probes may use another port. */
  onProbeSuccess(): void {
    if (this.#since === -Infinity) this.#since = undefined;
  }

  /**
   * Adds a request, which waits at most until `until` on the monotonic clock. False when the outage has lasted too long,
   * `queue.max` requests wait already, or the pool is closed. A request that enters again keeps its place.
   */
  enter(request: OutageWaiter, until: number): boolean {
    const now = this.#context.runtime.clock.now();
    const ends = Math.min(until, (this.#since ?? now) + this.#connectForMs);
    if (this.#closed || ends <= now) return false;
    if (!this.#places.has(request) && this.#places.size >= this.#queue.max) {
      this.#queue.onShort?.(true);
      return false;
    }
    this.#places.set(request, { until: ends, context: new AsyncContext(), connecting: false });
    // The timer was set while this request was connecting, and regards no request that connects.
    if (this.#timer === undefined) this.#schedule();
    else if (ends < this.#tickAt) this.#setTimer(ends);
    return true;
  }

  /** Call when the request is connected or has ended. */
  leave(request: OutageWaiter): void {
    if (this.#places.size === 0 || !this.#places.delete(request) || this.#places.size > 0) return;
    this.#stop();
  }

  /** Ends all waits; no request waits from now on. */
  close(): void {
    this.#closed = true;
    this.#end("closed");
  }

  get #connectForMs(): number {
    return this.#context.options.retry.connectForMs;
  }

  /** Sets the timer for the next reconnect, or for the end of a wait before it. */
  #schedule(): void {
    const { clock, random } = this.#context.runtime;
    const { reconnectMinMs, reconnectMaxMs } = limits;
    const pauseMs = Math.min(reconnectMaxMs, reconnectMinMs * 1.5 ** this.#rounds) * (0.5 + random() / 2);
    let at = clock.now() + pauseMs;
    for (const { until, connecting } of this.#places.values()) if (!connecting) at = Math.min(at, until);
    this.#setTimer(at);
  }

  #setTimer(at: number): void {
    const { clock } = this.#context.runtime;
    clock.clearTimeout(this.#timer);
    this.#tickAt = at;
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

  /** Releases requests in a timer, not inside the call stack of the request that has succeeded. */
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
      const usable = request.waitsFor === undefined || request.waitsFor === upstream;
      if (!usable || this.#places.get(request) !== place || place.connecting) continue;
      left--;
      this.#reconnect(request, place);
    }
  }

  #reconnect(request: OutageWaiter, place: Place): void {
    place.connecting = true;
    place.context.run(request.onReconnect, request);
  }

  /** A copy, since requests leave and enter during the iteration. */
  #waiting(): [OutageWaiter, Place][] {
    return [...this.#places].filter(([, { connecting }]) => !connecting);
  }

  #giveUp(request: OutageWaiter, place: Place, code: ErrorCode | undefined): void {
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
