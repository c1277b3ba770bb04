import type { Pool } from "../pool/pool.ts";
import type { Clock } from "../runtime/clock.ts";
import type { LimitGrant, LimitReport, LimitStart } from "./limit-messages.ts";

/**
 * The shares of a proxy in the limits of its group, as `proxy.limitShares`.
 *
 * `maxInFlight` and `connections.max` of an upstream, `queue.max` and the retries per second of a pool hold for the whole group.
 * Without `begin` they hold for this proxy alone, at no cost.
 */
export class LimitShares {
  readonly #pools: ReadonlyMap<string, Pool>;
  readonly #clock: Clock;

  constructor(pools: ReadonlyMap<string, Pool>, clock: Clock) {
    this.#pools = pools;
    this.#clock = clock;
  }

  /**
   * Makes the proxy a participant of a group. Call it before the first request. `send` passes a report on to the grantor. It is
   * called soon after a request has waited for a share or was refused for want of one, after `apply`, and each second.
   */
  begin(_start: LimitStart, _send: (report: LimitReport) => void): void {
    void this.#pools;
    void this.#clock;
  }

  /** Puts a grant in force. An older one than the last has no effect. */
  apply(_grant: LimitGrant): void {}
}
