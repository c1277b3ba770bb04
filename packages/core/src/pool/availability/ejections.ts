/**
 * The ejections of a pool. An ejected upstream gets no requests. After its ejection it is half-open, on trial with one request
 * at a time, then readmitted or ejected again. health/outlier-detector.ts decides which upstream is ejected, for how long, and
 * the result of a trial. This class keeps the state and emits its changes.
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
   * Whether ejecting this upstream keeps the ejected share within `maxPercent` of the upstreams that would otherwise serve. The
   * first ejection is always allowed while another upstream serves. The only upstream is never ejected.
   */
  mayEject(upstream: Upstream, maxPercent: number): boolean {
    const member = upstream as Member;
    if (maxPercent === 0 || member.removed) return false;
    const others = this.#members.list.filter((other) => other !== member && (other.inRotation || isOnlyEjected(other)));
    const ejected = others.filter(isOnlyEjected).length;
    if (ejected === 0) return others.length > 0;
    return (ejected + 1) * 100 <= (others.length + 1) * maxPercent;
  }

  /**
   * Ejects an upstream. Snapshots show `forMs`, but the caller has to call `beginTrial` when it has passed. `cause` is the
   * failure that has led to it.
   */
  eject(upstream: Upstream, reason: EjectionReason, forMs: number, cause?: string): void {
    const member = upstream as Member;
    if (member.removed) return;
    const now = this.#context.runtime.clock.wallNow();
    if (member.ejectedUntil === undefined) member.transitions.ejected = now;
    member.ejectedUntil = now + forMs;
    member.ejectedFor = reason;
    member.ejectionCause = cause;
    endTrial(member);
    member.countEjection(reason);
    this.#context.changed();
    this.#context.emit("eject", { pool: this.#context.name, upstream: member.id, reason, forMs });
  }

  /** Makes an ejected upstream half-open, with one request at a time. */
  beginTrial(upstream: Upstream): void {
    const member = upstream as Member;
    if (member.ejectedUntil === undefined || member.onTrial) return;
    member.trial = new Trial(this.#context.runtime.clock, () => this.#context.changed());
    member.transitions.trial = this.#context.runtime.clock.wallNow();
    this.#context.changed();
  }

  /** Ends an ejection. Does nothing for an upstream that is not ejected. */
  readmit(upstream: Upstream, reason: ReadmissionReason): void {
    const member = upstream as Member;
    if (member.ejectedUntil === undefined) return;
    member.ejectedUntil = undefined;
    member.transitions.readmitted = this.#context.runtime.clock.wallNow();
    endTrial(member);
    this.#members.startSlowStart(member);
    this.#context.changed();
    this.#context.emit("readmit", { pool: this.#context.name, upstream: member.id, reason });
  }
}

/** The upstream would serve if it were not ejected. */
function isOnlyEjected({ ejectedUntil, state, health, weight, held }: Member): boolean {
  return ejectedUntil !== undefined && state === "active" && health !== "unhealthy" && weight > 0 && !held;
}

function endTrial(member: Member): void {
  member.trial?.end();
  member.trial = undefined;
}
