import { limits } from "../config/defaults.ts";
import type { ResolvedUpstream } from "../config/resolved.ts";
import type { Clock } from "../runtime/clock.ts";
import { isSameServer, type Member } from "./upstream.ts";

/**
 * Discovered members that DNS has dropped. A member that returns within `limits.departedMs` keeps its verdict, its ejection
 * and its counters, since it is probably the same server. At most `limits.departedMembers` are remembered.
 */
export class DepartedMembers {
  readonly #clock: Clock;
  /** In the order in which they left. */
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

  /** Removes and returns the member with these options, unless it left too long ago. */
  recall(upstream: ResolvedUpstream): Member | undefined {
    const departed = this.#members.get(upstream.id);
    if (departed === undefined) return undefined;
    this.#members.delete(upstream.id);
    if (departed.until <= this.#clock.now()) return undefined;
    return isSameServer(departed.member, upstream) ? departed.member : undefined;
  }
}
