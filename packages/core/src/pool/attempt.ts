import type { Member, Outcome, Upstream } from "./upstream.ts";

/**
 * One try on one upstream. It holds a place in the upstream's `inFlight` from its start until `settle`,
 * which has to be called exactly once on every path; later calls do nothing.
 */
export class Attempt {
  /** When it began, on the monotonic clock. */
  readonly startedAt: number;
  readonly #member: Member;
  readonly #onSettled: (member: Member, outcome: Outcome) => void;
  #settled = false;

  constructor(member: Member, startedAt: number, onSettled: (member: Member, outcome: Outcome) => void) {
    this.#member = member;
    this.startedAt = startedAt;
    this.#onSettled = onSettled;
  }

  get upstream(): Upstream {
    return this.#member;
  }

  /** Counts the time to the response headers. */
  recordHeaders(ms: number): void {
    this.#member.recordHeaders(ms);
  }

  settle(outcome: Outcome): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#onSettled(this.#member, outcome);
  }
}
