import type { Health } from "../../events.ts";
import type { Members } from "../members.ts";
import type { PoolContext } from "../pool-context.ts";
import type { Member, Upstream } from "../upstream.ts";
import type { Outage } from "./outage.ts";

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
    if (released) member.held = false;
    if (member.removed || member.health === to) return;
    const from = member.health;
    member.health = to;
    member.verdict = to === "unknown" ? undefined : { at: this.#context.runtime.clock.wallNow(), reason };
    if (released) this.#members.beginTraffic(member);
    if (from === "unhealthy") this.#members.startSlowStart(member);
    if (to === "unhealthy") this.#members.tunnels.foundUnhealthy(member);
    this.#context.changed();
    const why = cause === undefined ? { reason } : { reason, cause };
    this.#context.emit("health", { pool: this.#context.name, upstream: member.id, from, to, ...why });
  }

  /** Holds a member back from traffic, also in panic, until its first verdict; or releases it. */
  hold(member: Member, held: boolean): void {
    if (member.held === held) return;
    member.held = held;
    if (!held) this.#members.beginTraffic(member);
    this.#context.changed();
  }

  /** `startedAt` is when the probe began, on the monotonic clock. */
  countProbe(member: Member, success: boolean, startedAt: number): void {
    member.countProbe(success);
    if (success) this.#outage.onProbeSuccess();
    this.#context.emit("probe", member, success, startedAt, false);
  }

  /** Another participant of the group has probed an upstream with success. It is not counted here. */
  probedElsewhere(upstream: Upstream, startedAt: number): void {
    this.#outage.onProbeSuccess();
    this.#context.emit("probe", upstream, true, startedAt, true);
  }

  /** Resets all verdicts to unknown, for a pool without health checks. */
  forget(): void {
    for (const member of this.#members.list) this.set(member, "unknown", "health checks are off", undefined);
  }
}
