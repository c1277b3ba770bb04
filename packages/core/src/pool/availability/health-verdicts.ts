import type { Health } from "../../events.ts";
import type { Members } from "../members.ts";
import type { PoolContext } from "../pool-context.ts";
import type { Member } from "../upstream.ts";
import type { Outage } from "./outage.ts";

/** What active checks have found out about each member. What they probe and when is decided in health/. */
export class HealthVerdicts {
  readonly #context: PoolContext;
  readonly #members: Members;
  readonly #outage: Outage;

  constructor(context: PoolContext, members: Members, outage: Outage) {
    this.#context = context;
    this.#members = members;
    this.#outage = outage;
  }

  /** Nothing happens when the verdict stays the same. */
  set(member: Member, to: Health, reason: string, cause: string | undefined): void {
    const letIn = member.held && to !== "unknown";
    if (letIn) member.held = false;
    if (member.removed || member.health === to) return;
    const from = member.health;
    member.health = to;
    member.verdict = to === "unknown" ? undefined : { at: this.#context.runtime.clock.wallNow(), reason };
    if (letIn) this.#members.letIn(member);
    if (from === "unhealthy") this.#members.warm(member);
    if (to === "unhealthy") this.#members.tunnels.foundUnhealthy(member);
    this.#context.changed();
    const why = cause === undefined ? { reason } : { reason, cause };
    this.#context.emit("health", { pool: this.#context.name, upstream: member.id, from, to, ...why });
  }

  /** Keeps a member from traffic, panic included, until its first verdict, or ends that. */
  hold(member: Member, held: boolean): void {
    if (member.held === held) return;
    member.held = held;
    if (!held) this.#members.letIn(member);
    this.#context.changed();
  }

  /** `startedAt` is when the probe began, on the monotonic clock. */
  countProbe(member: Member, success: boolean, startedAt: number): void {
    member.countProbe(success);
    if (success) this.#outage.onProbeSuccess();
    this.#context.emit("probe", member, success, startedAt);
  }

  /** Makes every verdict unknown again, for a pool without checks. */
  forget(): void {
    for (const member of this.#members.list) this.set(member, "unknown", "health checks are off", undefined);
  }
}
