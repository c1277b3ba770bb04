import type { Clock } from "../../runtime/clock.ts";
import { type Timed, tickerOf } from "../../runtime/ticker.ts";
import type { ServerLimits } from "../server/server-limits.ts";

/** The connection whose time is limited. */
export interface DeadlineOwner {
  onHeadTimeout(): void;
  onIdleTimeout(): void;
  onSendTimeout(): void;
  /** A round trip has passed since the first GOAWAY. */
  onDrainTimeout(): void;
}

/** The deadlines of a connection, each since a moment, and Infinity while there is none. */
export class ConnectionDeadlines implements Timed {
  deadline: number = Infinity;
  /** The time since which no request has been in flight. */
  idleSince: number;
  readonly #owner: DeadlineOwner;
  readonly #clock: Clock;
  readonly #headMs: number;
  readonly #idleMs: number;
  readonly #sendMs: number;
  #headAt = Infinity;
  #idleAt = Infinity;
  #sendAt = Infinity;
  #drainAt = Infinity;
  #receivesHead = false;

  constructor(owner: DeadlineOwner, clock: Clock, { requestHeadersMs, keepAliveMs, sendMs }: ServerLimits) {
    this.#owner = owner;
    this.#clock = clock;
    this.#headMs = requestHeadersMs || Infinity;
    this.#idleMs = keepAliveMs || Infinity;
    this.#sendMs = sendMs || Infinity;
    this.idleSince = clock.now();
    this.#idleAt = this.idleSince + this.#idleMs;
    this.receivesHead(true);
    tickerOf(clock).watch(this);
  }

  /** Whether the beginning of a head was received, and not yet its end. The preface counts as one. */
  receivesHead(receives: boolean): void {
    if (receives === this.#receivesHead) return;
    this.#receivesHead = receives;
    this.#headAt = receives ? this.#clock.now() + this.#headMs : Infinity;
    this.#update();
  }

  idles(idle: boolean): void {
    if (idle) this.idleSince = this.#clock.now();
    this.#idleAt = idle ? this.idleSince + this.#idleMs : Infinity;
    this.#update();
  }

  /** Whether the socket takes nothing. */
  stalls(stalled: boolean): void {
    this.#sendAt = stalled ? Math.min(this.#sendAt, this.#clock.now() + this.#sendMs) : Infinity;
    this.#update();
  }

  drains(withinMs: number): void {
    this.#drainAt = this.#clock.now() + withinMs;
    this.#update();
  }

  drained(): void {
    this.#drainAt = Infinity;
    this.#update();
  }

  stop(): void {
    this.deadline = Infinity;
    tickerOf(this.#clock).forget(this);
  }

  onDeadline(): void {
    const now = this.#clock.now();
    if (now >= this.#drainAt) this.#owner.onDrainTimeout();
    else if (now >= this.#sendAt) this.#owner.onSendTimeout();
    else if (now >= this.#headAt) this.#owner.onHeadTimeout();
    else this.#owner.onIdleTimeout();
  }

  #update(): void {
    this.deadline = Math.min(this.#headAt, this.#idleAt, this.#sendAt, this.#drainAt);
  }
}
