import { limits } from "../../config/defaults.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Ticker, Timed } from "../../runtime/ticker.ts";

/** The connection whose silence is watched. */
export interface LivenessHost {
  /** Requests in flight. */
  readonly active: number;
  sendPing(): void;
  /** It has had no requests for as long as it is kept, and takes no more. */
  retire(): void;
  /** It has not answered a PING. */
  onDead(): void;
}

/**
 * Watches the silence of a connection. Without requests it is kept for a while. With requests a PING asks whether the peer
 * is still there, when a request has timed out and after minutes of silence: more often would be taken for a flood by gRPC
 * servers, and TCP asks too.
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

  /** A PING has been sent, and nothing has come since. */
  get pinging(): boolean {
    return this.#pinging;
  }

  /** Requests have begun or ended. */
  rest(): void {
    if (this.#pinging) return;
    this.deadline = this.#clock.now() + (this.#host.active === 0 ? this.#keepAliveMs : limits.http2PingAfterMs);
  }

  /** Something has come. True when it ends a doubt. */
  onInput(): boolean {
    this.#lastInputAt = this.#clock.now();
    if (!this.#pinging) return false;
    this.#pinging = false;
    this.rest();
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
