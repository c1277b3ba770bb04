import type { Clock, Timer } from "../runtime/clock.ts";
import { LimitLedger } from "./limit-ledger.ts";
import type { LimitGrant, LimitReport, LimitStart } from "./limit-messages.ts";

/** The least milliseconds between two rounds of grants, so that reports which arrive together are regarded together. */
const roundMs = 1;

/**
 * Grants the participants of a group their shares of its limits, by what they report: a `LimitLedger` with its timer.
 *
 * `send` passes a grant on to a participant, whose `proxy.limitShares.apply` takes it. It may fail: the grant is sent again.
 */
export class LimitGrantor {
  readonly #ledger: LimitLedger;
  readonly #clock: Clock;
  readonly #send: (id: string, grant: LimitGrant) => void;
  #timer: Timer;
  #roundAt = Infinity;

  /** `slots` is the number of participants of a complete group. */
  constructor(slots: number, clock: Clock, send: (id: string, grant: LimitGrant) => void) {
    this.#ledger = new LimitLedger(slots, clock);
    this.#clock = clock;
    this.#send = send;
  }

  /** Adds a participant. The result goes to its `proxy.limitShares.begin` before it serves a request. */
  join(id: string): LimitStart {
    const start = this.#ledger.join(id);
    this.#schedule(roundMs);
    return start;
  }

  /** Call it once the process of a participant has ended. */
  leave(id: string): void {
    this.#ledger.leave(id);
    this.#schedule(roundMs);
  }

  report(id: string, report: LimitReport): void {
    this.#ledger.report(id, report);
    this.#schedule(roundMs);
  }

  stop(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#roundAt = -Infinity;
  }

  #schedule(inMs: number): void {
    const at = this.#clock.now() + inMs;
    if (at >= this.#roundAt || inMs === Infinity) return;
    this.#clock.clearTimeout(this.#timer);
    this.#roundAt = at;
    this.#timer = this.#clock.setTimeout(() => this.#round(), inMs);
  }

  #round(): void {
    this.#roundAt = Infinity;
    for (const [id, grant] of this.#ledger.due()) this.#send(id, grant);
    this.#schedule(Math.max(roundMs, this.#ledger.dueInMs));
  }
}
