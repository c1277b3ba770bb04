/**
 * The factors of a member's weight: slow start, feedback, and its announced load. Snapshots show each factor; policies share
 * by the product.
 *
 * Two factors change with time: a slow start progresses, an announcement expires. There is no timer for that. Each pick
 * refreshes them first, at no cost unless a member has such a factor. So the event of a change comes with the next pick.
 */

import { limits } from "../config/defaults.ts";
import type { ResolvedSlowStart } from "../config/resolved.ts";
import type { WeightEvent } from "../events.ts";
import type { Clock } from "../runtime/clock.ts";
import type { PoolContext } from "./pool-context.ts";
import type { Member, Upstream } from "./upstream.ts";

export class EffectiveWeights {
  readonly #context: PoolContext;
  readonly #clock: Clock;
  readonly #slowStarting = new Set<Member>();
  readonly #announcing = new Set<Member>();

  constructor(context: PoolContext) {
    this.#context = context;
    this.#clock = context.runtime.clock;
  }

  /** Sets the weight, which the factors multiply. */
  setWeight(member: Member, weight: number, reason: "operator" | "config" | "discovery"): void {
    if (member.weight === weight) return;
    const from = member.effectiveWeight;
    member.weight = weight;
    member.reweigh();
    this.#context.changed();
    this.#emit(member, from, reason);
  }

  /** Begins with a small share that grows. Does nothing when the options have no slow start. */
  startSlowStart(member: Member): void {
    const { slowStart } = this.#context.options;
    if (slowStart === undefined) return;
    const from = member.effectiveWeight;
    member.slowStartSince = this.#clock.now();
    member.transitions.warming = this.#clock.wallNow();
    member.slowStart = slowStartAt(0, slowStart);
    this.#reweigh(member);
    this.#slowStarting.add(member);
    this.#emit(member, from, "slow-start", `growing over ${slowStart.windowMs} ms`);
  }

  /** Applies a load report, 0 to 1, at most once per second. It expires after a while. */
  announce(upstream: Upstream, load: number): void {
    const member = upstream as Member;
    const now = this.#clock.now();
    if (member.removed || !(load >= 0 && load <= 1) || now - member.announcedAt < limits.announcedIntervalMs) return;
    member.announcedAt = now;
    this.#announcing.add(member);
    this.#setAnnounced(member, Math.max(limits.announcedFloor, 1 - load), `it announces a load of ${load}`);
  }

  /** Sets the feedback factor, derived from the upstream's performance relative to its pool. */
  setFeedback(upstream: Upstream, factor: number, detail: string): void {
    const member = upstream as Member;
    const from = member.effectiveWeight;
    member.feedback = factor;
    this.#reweigh(member);
    this.#emit(member, from, "feedback", detail);
  }

  /** A factor of some member changes with time. */
  get changesWithTime(): boolean {
    return this.#slowStarting.size > 0 || this.#announcing.size > 0;
  }

  /**
   * Updates the factors that change with time. Returns whether an upstream has room that had none. Slow starts also end when
   * no member has its full share: they would only cause refusals.
   */
  refresh(hasWarmMember: boolean): boolean {
    const now = this.#clock.now();
    let room = false;
    for (const member of this.#slowStarting) room = this.#advanceSlowStart(member, now, !hasWarmMember) || room;
    for (const member of this.#announcing) {
      if (now - member.announcedAt >= limits.announcedMs)
        this.#forgetAnnouncement(member, "its announcement has expired");
    }
    return room;
  }

  /** Milliseconds until a slow start makes room in a full upstream; Infinity when none does. */
  nextRoomMs(): number {
    const { slowStart } = this.#context.options;
    let inMs = Infinity;
    if (slowStart === undefined) return inMs;
    for (const { full, inFlight, inFlightLimit, slowStartSince } of this.#slowStarting) {
      if (!full || inFlight >= inFlightLimit) continue;
      // The limit is rounded up, so there is room as soon as the share exceeds the number in flight.
      const passes = Math.floor((inFlight * limits.slowStartSteps) / inFlightLimit) + 1;
      const passesAt = slowStartSince + (slowStart.windowMs * passes) / limits.slowStartSteps;
      inMs = Math.min(inMs, Math.max(0, passesAt - this.#clock.now()) + 1);
    }
    return inMs;
  }

  /** Call after the options of the pool have changed. */
  reconfigured(): void {
    if (this.#context.options.weights !== undefined) return;
    for (const member of this.#announcing) this.#forgetAnnouncement(member, "announced load is off");
  }

  forget(member: Member): void {
    this.#slowStarting.delete(member);
    this.#announcing.delete(member);
  }

  /** Returns whether the member has room that it had not. */
  #advanceSlowStart(member: Member, now: number, isOnly: boolean): boolean {
    const { slowStart } = this.#context.options;
    const wasFull = member.full;
    const from = member.effectiveWeight;
    const over = slowStart === undefined || (isOnly && member.inRotation);
    member.slowStart = over ? 1 : slowStartAt(now - member.slowStartSince, slowStart);
    this.#reweigh(member);
    if (member.slowStart === 1) {
      this.#slowStarting.delete(member);
      // It may have ended long before this pick.
      const end = member.transitions.warming + (slowStart?.windowMs ?? 0);
      member.transitions.warm = Math.min(end, this.#clock.wallNow());
      const detail = slowStart !== undefined && over ? "it is the only upstream" : "it has its full share again";
      this.#emit(member, from, "slow-start", detail);
    }
    return wasFull && !member.full;
  }

  #forgetAnnouncement(member: Member, why: string): void {
    this.#announcing.delete(member);
    member.announcedAt = -Infinity;
    this.#setAnnounced(member, 1, why);
  }

  #setAnnounced(member: Member, factor: number, detail: string): void {
    const from = member.effectiveWeight;
    member.announced = factor;
    this.#reweigh(member);
    this.#emit(member, from, "announced", detail);
  }

  #reweigh(member: Member): void {
    const { effectiveWeight } = member;
    member.reweigh();
    if (member.effectiveWeight !== effectiveWeight) this.#context.reweighed();
  }

  #emit(member: Member, from: number, reason: WeightEvent["reason"], detail?: string): void {
    const to = member.effectiveWeight;
    if (to === from && reason !== "operator" && reason !== "config") return;
    const why = detail === undefined ? { reason } : { reason, detail };
    this.#context.emit("weight", { pool: this.#context.name, upstream: member.id, from, to, ...why });
  }
}

/**
 * Envoy's formula: linear in time, with a minimum, starting at one second. In steps, so that what policies derive from the
 * weights lasts for more than one pick.
 */
function slowStartAt(elapsedMs: number, { windowMs, minFactor }: ResolvedSlowStart): number {
  const steps = Math.floor((Math.max(elapsedMs, 1_000) * limits.slowStartSteps) / windowMs);
  return Math.min(1, Math.max(minFactor, steps / limits.slowStartSteps));
}
