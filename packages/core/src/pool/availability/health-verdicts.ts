import type { Health } from "../../events.ts";
import type { Members } from "../members.ts";
import type { PoolContext } from "../pool-context.ts";
import type { Member, Upstream } from "../upstream.ts";
import type { Outage } from "./outage.ts";

/** The result of a probe, and why its connection has failed, if it has. */
export interface ProbeOutcome {
  readonly ok: boolean;
  readonly reason: string;
  readonly cause?: string | undefined;
}

/** The verdicts of active checks. health/ decides about probes and thresholds. */
export class HealthVerdicts {
  readonly #context: PoolContext;
  readonly #members: Members;
  readonly #outage: Outage;

  constructor(context: PoolContext, members: Members, outage: Outage) {
    this.#context = context;
    this.#members = members;
    this.#outage = outage;
  }

  /** An unchanged verdict has no effect. */
  set(member: Member, to: Health, reason: string, cause: string | undefined): void {
    const released = member.held && to !== "unknown";
    const now = this.#context.runtime.clock.wallNow();
    if (released) this.#setHeld(member, false, now);
    if (member.removed || member.health === to) return;
    const from = member.health;
    member.health = to;
    member.transitions.health = now;
    const why = cause === undefined ? { reason } : { reason, cause };
    member.verdict = to === "unknown" ? undefined : { at: now, ...why };
    if (released) this.#members.beginTraffic(member);
    if (from === "unhealthy") this.#members.startSlowStart(member);
    if (to === "unhealthy") this.#members.tunnels.foundUnhealthy(member);
    this.#context.changed();
    this.#context.emit("health", { pool: this.#context.name, upstream: member.id, from, to, ...why });
  }

  /** Holds a member back from traffic, also in panic, until its first verdict; or releases it. */
  hold(member: Member, held: boolean): void {
    if (member.held === held) return;
    this.#setHeld(member, held, this.#context.runtime.clock.wallNow());
    if (!held) this.#members.beginTraffic(member);
    this.#context.changed();
  }

  /** `startedAt` is when the probe began, on the monotonic clock. */
  countProbe(member: Member, { ok, reason, cause }: ProbeOutcome, startedAt: number): void {
    const { clock } = this.#context.runtime;
    const why = cause === undefined ? { reason } : { reason, cause };
    const durationMs = Math.round((clock.now() - startedAt) * 1_000) / 1_000;
    member.countProbe({ at: clock.wallNow(), ok, ...why, durationMs });
    if (ok) this.#outage.onProbeSuccess();
    this.#context.emit("probe", member, ok, startedAt, false);
  }

  /** Another participant of the group has probed an upstream with success. It is not counted here. */
  probedElsewhere(upstream: Upstream, startedAt: number): void {
    this.#outage.onProbeSuccess();
    this.#context.emit("probe", upstream, true, startedAt, true);
  }

  #setHeld(member: Member, held: boolean, now: number): void {
    member.held = held;
    member.transitions.held = now;
  }

  /** Resets all verdicts to unknown, for a pool without health checks. */
  forget(): void {
    for (const member of this.#members.list) this.set(member, "unknown", "health checks are off", undefined);
  }
}
