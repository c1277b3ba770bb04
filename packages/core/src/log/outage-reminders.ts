import { limits } from "../config/defaults.ts";
import type { Clock, Timer } from "../runtime/clock.ts";
import type { PoolSnapshot, ProxySnapshot, UpstreamSnapshot } from "../snapshot.ts";
import { durationText } from "./duration-text.ts";
import type { WriteEntry } from "./logger.ts";

/** Why and since when an upstream is unavailable. `since` is on the monotonic clock. */
export interface Outage {
  readonly since: number;
  readonly reason: string;
  readonly ejections: number;
}

export interface ReminderSource {
  readonly clock: Clock;
  readonly write: WriteEntry;
  /** The present state: an event may be missing, such as that of a worker that has died. */
  readonly snapshot: () => ProxySnapshot | Promise<ProxySnapshot>;
  /** What the events have said about an upstream. */
  readonly outageOf: (pool: string, upstream: string) => Outage | undefined;
}

/** Reminds of the upstreams of a pool that stay unavailable: after a minute, after ten more, then each hour. */
export class OutageReminders {
  readonly #source: ReminderSource;
  /** The next reminder of each pool with an unavailable upstream. */
  readonly #timers = new Map<string, Timer>();

  constructor(source: ReminderSource) {
    this.#source = source;
  }

  /** An upstream of the pool is unavailable. */
  start(pool: string): void {
    if (!this.#timers.has(pool)) this.#wait(pool, 0);
  }

  stop(pool: string): void {
    const timer = this.#timers.get(pool);
    if (timer !== undefined) this.#source.clock.clearTimeout(timer);
    this.#timers.delete(pool);
  }

  close(): void {
    for (const pool of [...this.#timers.keys()]) this.stop(pool);
  }

  #wait(pool: string, step: number): void {
    const delayMs = limits.logRemindersMs[step] as number;
    const timer = this.#source.clock.setTimeout(() => {
      this.#inspect((pools) => {
        // Stopped, and perhaps started again, while the snapshot was taken.
        if (this.#timers.get(pool) !== timer) return;
        if (pools === undefined) this.#wait(pool, step);
        else this.#remind(pool, step, pools);
      });
    }, delayMs);
    this.#timers.set(pool, timer);
  }

  #remind(name: string, step: number, pools: readonly PoolSnapshot[]): void {
    const pool = pools.find((each) => each.name === name);
    const unavailable = pool?.upstreams.filter(isUnavailable) ?? [];
    if (pool === undefined || unavailable.length === 0) return void this.#timers.delete(name);
    this.#write(pool, unavailable);
    this.#wait(name, Math.min(step + 1, limits.logRemindersMs.length - 1));
  }

  /** Without pools if the snapshot of a group fails. */
  #inspect(use: (pools: readonly PoolSnapshot[] | undefined) => void): void {
    const snapshot = this.#source.snapshot();
    if (!(snapshot instanceof Promise)) return use(snapshot.pools);
    snapshot.then(
      ({ pools }) => use(pools),
      () => use(undefined),
    );
  }

  #write(pool: PoolSnapshot, unavailable: readonly UpstreamSnapshot[]): void {
    const total = pool.upstreams.length;
    const named = unavailable.slice(0, limits.loggedUpstreams).map((upstream) => this.#describe(pool.name, upstream));
    const others = unavailable.length - named.length;
    const list = [...named.map(({ text }) => text), ...(others > 0 ? [`and ${others} more`] : [])].join(", ");
    const verb = total === 1 ? "upstream is" : "upstreams are";
    const exhausted = pool.panic || !pool.serving;
    this.#source.write({
      level: exhausted ? "error" : "warn",
      message: `${pool.name}: ${unavailable.length} of ${total} ${verb} still unavailable: ${list}${exhausted ? "; no upstream is available" : ""}`,
      fields: {
        pool: pool.name,
        unavailable: unavailable.length,
        total,
        serving: pool.serving,
        upstreams: named.map(({ fields }) => fields),
      },
    });
  }

  #describe(pool: string, { id, health }: UpstreamSnapshot): { readonly text: string; readonly fields: object } {
    const outage = this.#source.outageOf(pool, id);
    const status = health === "unhealthy" ? "unhealthy" : "ejected";
    if (outage === undefined) return { text: `${id} (${status})`, fields: { upstream: id, status } };
    const { since, reason, ejections } = outage;
    const forMs = Math.round(this.#source.clock.now() - since);
    const times = ejections > 1 ? `, ejected ${ejections} times` : "";
    const text = `${id} (${status} for ${durationText(forMs)}${times}: ${reason})`;
    return { text, fields: { upstream: id, status, forMs, reason, ejections } };
  }
}

/** What an operator has disabled or drains is no outage. */
function isUnavailable({ state, health, ejectedUntil, onTrial, ejectedIn = 0 }: UpstreamSnapshot): boolean {
  if (state !== "active") return false;
  return health === "unhealthy" || ejectedUntil !== null || onTrial || ejectedIn > 0;
}
