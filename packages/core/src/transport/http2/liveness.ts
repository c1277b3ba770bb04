import type { Clock } from "../../runtime/clock.ts";
import type { Ticker, Timed } from "../../runtime/ticker.ts";

/** The connection that is watched. */
export interface LivenessHost {
  /** Requests in flight. */
  readonly active: number;
  sendPing(): void;
  /** The connection has been idle for `keepAliveMs` and accepts no more requests. */
  retire(): void;
  /** The peer has sent nothing in time after a PING. */
  onDead(): void;
}

export interface LivenessTimeouts {
  /** Idle connections are retired after this time. */
  readonly keepAliveMs: number;
  /** 0 is no PING for silence. */
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
}

/**
 * Detects idle and dead connections. An idle one is retired after a while. With requests in flight, a PING is sent when a
 * request has timed out, and when nothing was received for the interval. Idle connections get none: gRPC servers take
 * those for a flood, whatever the interval.
 */
export class Liveness implements Timed {
  deadline: number = Infinity;
  readonly #host: LivenessHost;
  readonly #clock: Clock;
  readonly #ticker: Ticker;
  readonly #timeouts: LivenessTimeouts;
  #lastInputAt: number;
  #pinging = false;
  /** Requests are in flight. */
  #busy = false;

  constructor(
    host: LivenessHost,
    options: { readonly clock: Clock; readonly ticker: Ticker; readonly timeouts: LivenessTimeouts },
  ) {
    this.#host = host;
    this.#clock = options.clock;
    this.#ticker = options.ticker;
    this.#timeouts = options.timeouts;
    this.#lastInputAt = options.clock.now();
    this.#ticker.watch(this);
  }

  /** A PING has been sent, and nothing has been received since. */
  get pinging(): boolean {
    return this.#pinging;
  }

  /** Restarts the timer when requests have begun or ended. */
  restart(): void {
    if (this.#pinging) return;
    const wasBusy = this.#busy;
    this.#busy = this.#host.active > 0;
    if (!this.#busy) this.deadline = this.#clock.now() + this.#timeouts.keepAliveMs;
    else if (!wasBusy) this.deadline = this.#pingAt();
  }

  /** Bytes have been received. True when they end the wait for the reply to a PING. */
  onInput(): boolean {
    this.#lastInputAt = this.#clock.now();
    if (!this.#pinging) return false;
    this.#pinging = false;
    this.#busy = false;
    this.restart();
    return true;
  }

  ping(): void {
    if (this.#pinging) return;
    this.#pinging = true;
    this.deadline = this.#clock.now() + this.#timeouts.pingTimeoutMs;
    this.#host.sendPing();
  }

  stop(): void {
    this.deadline = Infinity;
    this.#ticker.forget(this);
  }

  onDeadline(): void {
    if (this.#pinging) return this.#host.onDead();
    if (!this.#busy) return this.#host.retire();
    const { pingIntervalMs } = this.#timeouts;
    if (this.#clock.now() - this.#lastInputAt >= pingIntervalMs) return this.ping();
    this.deadline = this.#lastInputAt + pingIntervalMs;
  }

  /** A connection that was silent while it was idle has some time for the reply to its next request. */
  #pingAt(): number {
    const { pingIntervalMs, pingTimeoutMs } = this.#timeouts;
    if (pingIntervalMs === 0) return Infinity;
    return Math.max(this.#lastInputAt + pingIntervalMs, this.#clock.now() + Math.min(pingIntervalMs, pingTimeoutMs));
  }
}
