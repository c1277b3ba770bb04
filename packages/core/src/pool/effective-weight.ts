/**
 * What a member's weight is multiplied by: slow start, feedback, and the load that it announces itself. Each part is kept
 * and shown apart; their product is what policies share by.
 *
 * Time moves two of them: a slow start goes on, an announcement expires. No timer does that. Whoever picks asks for a
 * refresh first, which costs nothing unless some member is on the move. So a change that comes with time is told of with
 * the next pick.
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
    this.#reweigh(member);
    this.#warming.add(member);
    this.#tell(member, from, "slow-start", `to grow over ${slowStart.windowMs} ms`);
  }

  /** Takes in what an upstream says of its load, 0 to 1. Heeded once a second, and forgotten after a while. */
  announce(upstream: Upstream, load: number): void {
    const member = upstream as Member;
    const now = this.#clock.now();
    if (member.removed || !(load >= 0 && load <= 1) || now - member.announcedAt < limits.announcedIntervalMs) return;
    member.announcedAt = now;
    this.#announcing.add(member);
    this.#setAnnounced(member, Math.max(limits.announcedFloor, 1 - load), `it announces a load of ${load}`);
  }

  /** Multiplies a member's weight, for better or worse than its fellows it has done. */
  setFeedback(upstream: Upstream, factor: number, detail: string): void {
    const member = upstream as Member;
    const from = member.effectiveWeight;
    member.feedback = factor;
    this.#reweigh(member);
    this.#tell(member, from, "feedback", detail);
  }

  /** Some part of some weight changes with time. */
  get moving(): boolean {
    return this.#warming.size > 0 || this.#announcing.size > 0;
  }

  /**
   * Brings the parts that time moves up to date, and returns whether that makes room. Slow starts are over as well when
   * nobody is left who is warm: they would only turn requests away.
   */
  refresh(someWarm: boolean): boolean {
    const now = this.#clock.now();
    let room = false;
    for (const member of this.#warming) room = this.#goOnWarming(member, now, !someWarm) || room;
    for (const member of this.#announcing) {
      if (now - member.announcedAt >= limits.announcedMs)
        this.#forgetWord(member, "it has announced nothing for a while");
    }
    return room;
  }

  /** Milliseconds until a slow start makes room where there is none; Infinity when none does. */
  roomIn(): number {
    const { slowStart } = this.#context.options;
    let inMs = Infinity;
    if (slowStart === undefined) return inMs;
    for (const { full, inFlight, maxInFlight, warmingSince } of this.#warming) {
      if (!full || inFlight >= maxInFlight) continue;
      // The limit is rounded up, so there is room as soon as the share has passed what is in flight.
      const passes = Math.floor((inFlight * limits.slowStartSteps) / maxInFlight) + 1;
      const passesAt = warmingSince + (slowStart.windowMs * passes) / limits.slowStartSteps;
      inMs = Math.min(inMs, Math.max(0, passesAt - this.#clock.now()) + 1);
    }
    return inMs;
  }

  /** To be called when the pool's options have changed. */
  reconfigured(): void {
    if (this.#context.options.weights !== undefined) return;
    for (const member of this.#announcing) this.#forgetWord(member, "announcements are not heeded any more");
  }

  forget(member: Member): void {
    this.#warming.delete(member);
    this.#announcing.delete(member);
  }

  /** Returns whether it has room now, and had none. */
  #goOnWarming(member: Member, now: number, alone: boolean): boolean {
    const { slowStart } = this.#context.options;
    const wasFull = member.full;
    const from = member.effectiveWeight;
    const over = slowStart === undefined || (alone && member.sharing);
    member.slowStart = over ? 1 : rampAt(now - member.warmingSince, slowStart);
    this.#reweigh(member);
    if (member.slowStart === 1) {
      this.#warming.delete(member);
      const whyOver = slowStart !== undefined && over ? "there is nobody beside it" : "it has its full share again";
      this.#tell(member, from, "slow-start", whyOver);
    }
    return wasFull && !member.full;
  }

  #forgetWord(member: Member, why: string): void {
    this.#announcing.delete(member);
    member.announcedAt = -Infinity;
    this.#setAnnounced(member, 1, why);
  }

  #setAnnounced(member: Member, factor: number, detail: string): void {
    const from = member.effectiveWeight;
    member.announced = factor;
    this.#reweigh(member);
    this.#tell(member, from, "announced", detail);
  }

  #reweigh(member: Member): void {
    const { effectiveWeight } = member;
    member.reweigh();
    if (member.effectiveWeight !== effectiveWeight) this.#context.reweighed();
  }

  #tell(member: Member, from: number, reason: WeightEvent["reason"], detail?: string): void {
    const to = member.effectiveWeight;
    if (to === from && reason !== "operator" && reason !== "config") return;
    const why = detail === undefined ? { reason } : { reason, detail };
    this.#context.emit("weight", { pool: this.#context.name, upstream: member.id, from, to, ...why });
  }
}

/**
 * Envoy's formula: linear in time, never below the minimum, and a second at least has always passed. In steps, so that what
 * policies make of the weights lasts for more than one pick.
 */
function rampAt(elapsedMs: number, { windowMs, minFactor }: ResolvedSlowStart): number {
  const steps = Math.floor((Math.max(elapsedMs, 1_000) * limits.slowStartSteps) / windowMs);
  return Math.min(1, Math.max(minFactor, steps / limits.slowStartSteps));
}
