import { limits } from "../config/defaults.ts";
import type { ResolvedUpstream } from "../config/resolved.ts";
import type { Clock } from "../runtime/clock.ts";
import { isSameServer, type Member } from "./upstream.ts";

/**
 * Members that were found in DNS and have left it. One that returns within `limits.departedMs` is the same server with the
 * same faults: it keeps its verdict, its ejection and its counters. At most `limits.departedMembers` are remembered.
 */
export class DepartedMembers {
  readonly #clock: Clock;
  /** In the order of their departure. */
  readonly #members = new Map<string, { readonly member: Member; readonly until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  remember(member: Member): void {
    const now = this.#clock.now();
    this.#members.delete(member.id);
    this.#members.set(member.id, { member, until: now + limits.departedMs });
    for (const [id, { until }] of this.#members) {
      if (until > now && this.#members.size <= limits.departedMembers) return;
      this.#members.delete(id);
    }
  }

  /** Takes out the member that has these options, if it left not long ago. */
  recall(upstream: ResolvedUpstream): Member | undefined {
    const departed = this.#members.get(upstream.id);
    if (departed === undefined) return undefined;
    this.#members.delete(upstream.id);
    if (departed.until <= this.#clock.now()) return undefined;
    return isSameServer(departed.member, upstream) ? departed.member : undefined;
  }
}
