/**
 * Members that requests have shown to be in trouble. An ejected member is out; after its time it is on trial, with one
 * request at a time; then it is readmitted, or out again. Who is ejected, for how long, and what a trial proves is
 * decided elsewhere (health/outlier-detector.ts): this keeps the state and tells of it.
 */

import type { EjectionReason, ReadmissionReason } from "../../events.ts";
import type { Members } from "../members.ts";
import type { PoolContext } from "../pool-context.ts";
import type { Member, Upstream } from "../upstream.ts";
import { Trial } from "./half-open.ts";

export class Ejections {
  readonly #context: PoolContext;
  readonly #members: Members;

  constructor(context: PoolContext, members: Members) {
    this.#context = context;
    this.#members = members;
  }

  /**
   * Whether one more may go when at most so many in a hundred are to be out, of those who would serve if nobody was. The
   * first may always go while another stays, and the last of a pool of one never.
   */
  mayEject(upstream: Upstream, maxPercent: number): boolean {
    const member = upstream as Member;
    if (maxPercent === 0 || member.removed) return false;
    const others = this.#members.list.filter((other) => other !== member && (other.sharing || isOnlyOut(other)));
    const out = others.filter(isOnlyOut).length;
    if (out === 0) return others.length > 0;
    return (out + 1) * 100 <= (others.length + 1) * maxPercent;
  }

  /** Takes an upstream out. `forMs` is what snapshots tell; `beginTrial` is the caller's to call when it has passed. */
  eject(upstream: Upstream, reason: EjectionReason, forMs: number): void {
    const member = upstream as Member;
    if (member.removed) return;
    member.ejectedUntil = this.#context.runtime.clock.wallNow() + forMs;
    member.ejectedFor = reason;
    endTrial(member);
    member.countEjection(reason);
    this.#context.changed();
    this.#context.emit("eject", { pool: this.#context.name, upstream: member.id, reason, forMs });
  }

  /** Lets an ejected upstream have one request at a time. */
  beginTrial(upstream: Upstream): void {
    const member = upstream as Member;
    if (member.ejectedUntil === undefined || member.onTrial) return;
    member.trial = new Trial(this.#context.runtime.clock, () => this.#context.changed());
    this.#context.changed();
  }

  /** Takes it in again. Nothing happens when it is not out. */
  readmit(upstream: Upstream, reason: ReadmissionReason): void {
    const member = upstream as Member;
    if (member.ejectedUntil === undefined) return;
    member.ejectedUntil = undefined;
    endTrial(member);
    this.#members.warm(member);
    this.#context.changed();
    this.#context.emit("readmit", { pool: this.#context.name, upstream: member.id, reason });
  }
}

/** Would serve if it were not ejected. */
function isOnlyOut({ ejectedUntil, state, health, weight, held }: Member): boolean {
  return ejectedUntil !== undefined && state === "active" && health !== "unhealthy" && weight > 0 && !held;
}

function endTrial(member: Member): void {
  member.trial?.end();
  member.trial = undefined;
}
