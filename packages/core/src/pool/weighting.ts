/**
 * What a member's weight is multiplied by: slow start, feedback, and the load that it announces itself. Each part is kept
 * and shown apart; their product is what policies share by.
 *
 * Time moves two of them: a slow start goes on, an announcement expires. No timer does that. Whoever picks asks for a
 * refresh first, which costs nothing unless some member is on the move.
 */

import { limits } from "../config/defaults.ts";
import type { ResolvedSlowStart } from "../config/resolved.ts";
import type { WeightEvent } from "../events.ts";
import type { Clock } from "../runtime/clock.ts";
import type { PoolContext } from "./pool-context.ts";
import type { Member, Upstream } from "./upstream.ts";

export class Weighting {
  readonly #context: PoolContext;
  readonly #clock: Clock;
  readonly #warming = new Set<Member>();
  readonly #announcing = new Set<Member>();

  constructor(context: PoolContext) {
    this.#context = context;
    this.#clock = context.runtime.clock;
  }

  /** Changes the weight itself, the factors aside. */
  setWeight(member: Member, weight: number, reason: "operator" | "config" | "discovery"): void {
    if (member.weight === weight) return;
    const from = member.effectiveWeight;
    member.weight = weight;
    member.reweigh();
    this.#context.changed();
    this.#tell(member, from, reason);
  }

  /** Lets a member begin with a small share that grows. Does nothing when the pool has no slow start. */
  warm(member: Member): void {
    const { slowStart } = this.#context.options;
    if (slowStart === undefined) return;
    const from = member.effectiveWeight;
    member.warmingSince = this.#clock.now();
    member.slowStart = rampAt(0, slowStart);
    member.reweigh();
    this.#warming.add(member);
    this.#tell(member, from, "slow-start", `to grow over ${slowStart.windowMs} ms`);
  }

  /** Takes in what an upstream says of its load, 0 to 1. Heeded once a second, and forgotten after a while. */
  announce(upstream: Upstream, load: number): void {
    const member = upstream as Member;
    const now = this.#clock.now();
    if (!(load >= 0 && load <= 1) || now - member.announcedAt < limits.announcedIntervalMs) return;
    member.announcedAt = now;
    this.#announcing.add(member);
    const from = member.effectiveWeight;
    member.announced = Math.max(limits.announcedFloor, 1 - load);
    member.reweigh();
    this.#tell(member, from, "announced", `it announces a load of ${load}`);
  }

  /** Multiplies a member's weight, for better or worse than its fellows it has done. */
  setFeedback(upstream: Upstream, factor: number, detail: string): void {
    const member = upstream as Member;
    const from = member.effectiveWeight;
    member.feedback = factor;
    member.reweigh();
    this.#tell(member, from, "feedback", detail);
  }

  /** Brings the parts that time moves up to date. */
  refresh(): void {
    if (this.#warming.size > 0) this.#goOnWarming(this.#clock.now());
    if (this.#announcing.size > 0) this.#forgetOldWords(this.#clock.now());
  }

  forget(member: Member): void {
    this.#warming.delete(member);
    this.#announcing.delete(member);
  }

  #goOnWarming(now: number): void {
    const { slowStart } = this.#context.options;
    let roomChanged = false;
    for (const member of this.#warming) {
      const wasFull = member.full;
      const elapsedMs = now - member.warmingSince;
      member.slowStart = slowStart === undefined ? 1 : rampAt(elapsedMs, slowStart);
      const from = member.effectiveWeight;
      member.reweigh();
      roomChanged ||= member.full !== wasFull;
      if (member.slowStart < 1) continue;
      this.#warming.delete(member);
      this.#tell(member, from, "slow-start", "it has its full share again");
    }
    if (roomChanged) this.#context.changed();
  }

  #forgetOldWords(now: number): void {
    for (const member of this.#announcing) {
      if (now - member.announcedAt < limits.announcedMs) continue;
      this.#announcing.delete(member);
      const from = member.effectiveWeight;
      member.announced = 1;
      member.reweigh();
      this.#tell(member, from, "announced", "it has announced nothing for a while");
    }
  }

  #tell(member: Member, from: number, reason: WeightEvent["reason"], detail?: string): void {
    const to = member.effectiveWeight;
    if (to === from && reason !== "operator" && reason !== "config") return;
    const why = detail === undefined ? { reason } : { reason, detail };
    this.#context.emit("weight", { pool: this.#context.name, upstream: member.id, from, to, ...why });
  }
}

/** Envoy's formula: linear in time, never below the minimum, and a second at least has always passed. */
function rampAt(elapsedMs: number, { windowMs, minFactor }: ResolvedSlowStart): number {
  return Math.min(1, Math.max(minFactor, Math.max(elapsedMs, 1_000) / windowMs));
}
