import type { Random } from "../../runtime/random.ts";

export interface LifetimeLimits {
  /** Milliseconds; 0 is no limit. */
  readonly maxAgeMs: number;
  /** 0 is no limit. */
  readonly maxRequests: number;
}

/** A connection ends up to this share of `maxAge` early, so that connections opened together do not end together. */
const ageJitter = 0.1;

/** Decides how long a connection accepts requests: by age, number of requests, and whether its address is still the upstream's. */
export class ConnectionLifetime {
  readonly #endsAt: number;
  readonly #maxRequests: number;
  #served = 0;
  #retired = false;

  constructor(openedAt: number, { maxAgeMs, maxRequests }: LifetimeLimits, random: Random) {
    this.#endsAt = maxAgeMs === 0 ? Infinity : openedAt + maxAgeMs * (1 - ageJitter * random());
    this.#maxRequests = maxRequests === 0 ? Infinity : maxRequests;
  }

  /** The number of exchanges counted so far. */
  get served(): number {
    return this.#served;
  }

  /** Counts an exchange and returns until when the connection may be idle; a time in the past means not at all. */
  release(now: number, keepAliveMs: number): number {
    this.#served++;
    return this.#spent ? -Infinity : Math.min(now + keepAliveMs, this.#endsAt);
  }

  /** Counts an exchange that shares the connection with others. */
  begin(): void {
    this.#served++;
  }

  /** The connection accepts no further exchange. */
  isOver(now: number): boolean {
    return this.#spent || now >= this.#endsAt;
  }

  get #spent(): boolean {
    return this.#retired || this.#served >= this.#maxRequests;
  }

  /** The exchange in flight, if any, is the last one. */
  retire(): void {
    this.#retired = true;
  }
}
