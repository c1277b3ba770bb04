import { limits } from "../../config/defaults.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Ticker, Timed } from "../../runtime/ticker.ts";

/** The connection that is watched. */
export interface LivenessHost {
  /** Requests in flight. */
  readonly active: number;
  sendPing(): void;
  /** The connection has been idle for `keepAliveMs` and accepts no more requests. */
  retire(): void;
  /** The peer has not answered a PING in time. */
  onDead(): void;
}

/**
 * Detects idle and dead connections. An idle one is retired after a while. With requests in flight, a PING is sent when a
 * request has timed out and after minutes without input: gRPC servers take more frequent PINGs for a flood, and TCP keep-alive
 * probes too.
 */
export class Liveness implements Timed {
  deadline: number = Infinity;
  readonly #host: LivenessHost;
  readonly #clock: Clock;
  readonly #ticker: Ticker;
  readonly #keepAliveMs: number;
  #lastInputAt: number;
  #pinging = false;

  constructor(
    host: LivenessHost,
    options: { readonly clock: Clock; readonly ticker: Ticker; readonly keepAliveMs: number },
  ) {
    this.#host = host;
    this.#clock = options.clock;
    this.#ticker = options.ticker;
    this.#keepAliveMs = options.keepAliveMs;
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
    this.deadline = this.#clock.now() + (this.#host.active === 0 ? this.#keepAliveMs : limits.http2PingAfterMs);
  }

  /** Bytes have been received. True when they end the wait for the answer to a PING. */
  onInput(): boolean {
    this.#lastInputAt = this.#clock.now();
    if (!this.#pinging) return false;
    this.#pinging = false;
    this.restart();
    return true;
  }

  ping(): void {
    if (this.#pinging) return;
    this.#pinging = true;
    this.deadline = this.#clock.now() + limits.http2PingTimeoutMs;
    this.#host.sendPing();
  }

  stop(): void {
    this.deadline = Infinity;
    this.#ticker.forget(this);
  }

  onDeadline(): void {
    if (this.#pinging) return this.#host.onDead();
    if (this.#host.active === 0) return this.#host.retire();
    if (this.#clock.now() - this.#lastInputAt >= limits.http2PingAfterMs) return this.ping();
    this.deadline = this.#lastInputAt + limits.http2PingAfterMs;
  }
}
