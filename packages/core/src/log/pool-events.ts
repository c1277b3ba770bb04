import { limits } from "../config/defaults.ts";
import type { EjectEvent, HealthEvent, ReadmitEvent, ReloadEvent } from "../events.ts";
import { type Clock, systemClock } from "../runtime/clock.ts";
import type { ProxySnapshot } from "../snapshot.ts";
import { ChangeBudget, poolBudget, upstreamBudget } from "./change-budget.ts";
import { afterOutage, type LoggedEvents, toEntry } from "./event-entries.ts";
import { type LogEntry, type LoggerOption, toWriter, type WriteEntry } from "./logger.ts";
import { type Outage, OutageReminders } from "./outage-reminders.ts";

type Listener<Name extends keyof LoggedEvents> = (event: LoggedEvents[Name]) => void;

/** What is logged: a proxy, or a group of workers. */
export interface PoolEventSource {
  on<Name extends keyof LoggedEvents>(name: Name, listener: Listener<Name>): unknown;
  off<Name extends keyof LoggedEvents>(name: Name, listener: Listener<Name>): unknown;
  snapshot(): ProxySnapshot | Promise<ProxySnapshot>;
}

type InWorker<Event> = Event & { readonly worker?: number };

/**
 * Logs what happens to pools and upstreams, and the results of reloads. Requests are not logged here.
 *
 * The volume is bounded: repeated ejections of an upstream that stays down are counted for reminders, an upstream that flaps is
 * summarized, and so are many upstreams of a pool that change at once. Returns a function that stops it.
 */
export function logPoolEvents(
  source: PoolEventSource,
  logger: LoggerOption,
  { clock = systemClock }: { readonly clock?: Clock } = {},
): () => void {
  const log = new PoolEventLog(source, toWriter(logger), clock);
  return () => log.close();
}

/** Identifies what has a budget of its own. */
interface Subject {
  readonly pool: string;
  readonly upstream?: string;
  readonly kind?: "weight" | "members" | "discovery";
}

class PoolEventLog {
  readonly #write: WriteEntry;
  readonly #clock: Clock;
  readonly #reminders: OutageReminders;
  /** In the order of their last use, as are those of the pools. */
  readonly #budgets = new Map<string, ChangeBudget>();
  /** Of all upstreams of a pool together, their summaries included: a thousand of them may flap. */
  readonly #poolBudgets = new Map<string, ChangeBudget>();
  /** By pool, then by upstream and, in a group, by worker. */
  readonly #outages = new Map<string, Map<string, Outage>>();
  readonly #stop: () => void;

  constructor(source: PoolEventSource, write: WriteEntry, clock: Clock) {
    this.#write = write;
    this.#clock = clock;
    this.#reminders = new OutageReminders({
      clock,
      write,
      snapshot: () => source.snapshot(),
      outageOf: (pool, upstream) => this.#longestOutage(pool, upstream),
    });
    this.#stop = listen(source, {
      health: (event) => this.#onHealth(event),
      eject: (event) => this.#onEject(event),
      readmit: (event) => this.#onReadmit(event),
      weight: (event) => this.#change({ ...event, kind: "weight" }, toEntry.weight(event), "of the weight"),
      state: (event) => this.#change(event, toEntry.state(event), event.to),
      member: (event) => {
        if (event.change === "removed") this.#forget(event.pool, event.upstream);
        this.#change({ pool: event.pool, kind: "members" }, toEntry.member(event), event.change);
      },
      discovery: (event) => {
        const kind = event.ok ? "resolved" : "failed lookups";
        this.#change({ pool: event.pool, kind: "discovery" }, toEntry.discovery(event), kind);
      },
      reload: (event) => this.#onReload(event),
    });
  }

  close(): void {
    this.#stop();
    this.#reminders.close();
    // The summaries of upstreams count for their pools.
    for (const budgets of [this.#budgets, this.#poolBudgets]) {
      for (const budget of budgets.values()) budget.close();
      budgets.clear();
    }
    this.#outages.clear();
  }

  #onHealth(event: HealthEvent): void {
    const entry = toEntry.health(event);
    if (event.to === "unhealthy") {
      this.#begin(event.pool, event.upstream, { since: this.#clock.now(), reason: event.reason, ejections: 0 });
      return this.#change(event, entry, event.to);
    }
    const outage = this.#end(event.pool, event.upstream);
    this.#change(event, outage === undefined ? entry : this.#withDuration(entry, outage), event.to);
  }

  #onEject(event: InWorker<EjectEvent>): void {
    const { pool, reason } = event;
    const key = keyOf(event);
    const before = this.#outages.get(pool)?.get(key);
    // The trial request of an ejected upstream has failed: it stays down, of which the reminders report.
    const repeated = reason === "trial-failed" && before !== undefined && before.ejections > 0;
    const since = repeated ? before.since : this.#clock.now();
    const ejections = repeated ? before.ejections + 1 : 1;
    this.#begin(pool, key, { since, reason: repeated ? before.reason : reason, ejections });
    if (!repeated) this.#change(event, toEntry.eject(event), "ejected");
  }

  #onReadmit(event: InWorker<ReadmitEvent>): void {
    const entry = toEntry.readmit(event);
    const outage = this.#end(event.pool, keyOf(event));
    this.#change(event, outage === undefined ? entry : this.#withDuration(entry, outage), "readmitted");
  }

  #onReload(event: ReloadEvent): void {
    this.#write(toEntry.reload(event));
    if (!event.ok) return;
    for (const pool of event.changes.pools.removed) this.#forgetPool(pool);
    for (const name of event.changes.upstreams.removed) {
      const slash = name.indexOf("/");
      this.#forget(name.slice(0, slash), name.slice(slash + 1));
    }
  }

  #begin(pool: string, key: string, outage: Outage): void {
    const outages = this.#outages.get(pool) ?? new Map<string, Outage>();
    this.#outages.set(pool, outages.set(key, outage));
    this.#reminders.start(pool);
  }

  #end(pool: string, key: string): Outage | undefined {
    const outages = this.#outages.get(pool);
    const outage = outages?.get(key);
    outages?.delete(key);
    if (outages?.size === 0) this.#forgetPool(pool);
    return outage;
  }

  #forget(pool: string, upstream: string): void {
    for (const key of [...(this.#outages.get(pool)?.keys() ?? [])]) {
      if (upstreamOf(key) === upstream) this.#end(pool, key);
    }
  }

  #forgetPool(pool: string): void {
    this.#outages.delete(pool);
    this.#reminders.stop(pool);
  }

  #longestOutage(pool: string, upstream: string): Outage | undefined {
    let longest: Outage | undefined;
    for (const [key, outage] of this.#outages.get(pool) ?? []) {
      if (upstreamOf(key) !== upstream || (longest !== undefined && longest.since <= outage.since)) continue;
      longest = outage;
    }
    return longest;
  }

  #withDuration(entry: LogEntry, { since, ejections }: Outage): LogEntry {
    return afterOutage(entry, this.#clock.now() - since, ejections);
  }

  /** Writes an entry within the budgets of its subject and of its pool. */
  #change({ pool, upstream, kind }: Subject, entry: LogEntry, what: string): void {
    const name = upstream === undefined ? pool : `${pool}/${upstream}`;
    const fields = upstream === undefined ? { pool } : { pool, upstream };
    const key = `${kind ?? ""} ${name}`;
    if (upstream === undefined) {
      const create = () => new ChangeBudget(name, fields, poolBudget, this.#clock, this.#write);
      return lastUsed(this.#budgets, key, create).add(entry, what, this.#write);
    }
    const write = (written: LogEntry, ofWhat: string) => this.#ofPool(pool).add(written, ofWhat, this.#write);
    const create = () => {
      const summarize: WriteEntry = (summary) => write(summary, "flapping");
      return new ChangeBudget(name, fields, upstreamBudget, this.#clock, summarize);
    };
    lastUsed(this.#budgets, key, create).add(entry, what, (written) => write(written, what));
  }

  #ofPool(pool: string): ChangeBudget {
    const create = () => new ChangeBudget(pool, { pool }, poolBudget, this.#clock, this.#write);
    return lastUsed(this.#poolBudgets, pool, create);
  }
}

/** Returns the budget of a source of changes. Without room for one more, it closes the one that was not used for longest. */
function lastUsed(budgets: Map<string, ChangeBudget>, key: string, create: () => ChangeBudget): ChangeBudget {
  const budget = budgets.get(key) ?? create();
  budgets.delete(key);
  budgets.set(key, budget);
  const [oldest] = budgets;
  if (oldest !== undefined && budgets.size > limits.loggedSources) {
    oldest[1].close();
    budgets.delete(oldest[0]);
  }
  return budget;
}

/** Returns a function that removes the listeners. */
function listen(
  source: PoolEventSource,
  listeners: { readonly [Name in keyof LoggedEvents]: Listener<Name> },
): () => void {
  const names = Object.keys(listeners) as (keyof LoggedEvents)[];
  const add = <Name extends keyof LoggedEvents>(name: Name) => source.on(name, listeners[name]);
  const remove = <Name extends keyof LoggedEvents>(name: Name) => source.off(name, listeners[name]);
  for (const name of names) add(name);
  return () => {
    for (const name of names) remove(name);
  };
}

/** Each worker of a group ejects by its own traffic. Ids of upstreams have no line feed. */
function keyOf({ upstream, worker }: { readonly upstream: string; readonly worker?: number }): string {
  return worker === undefined ? `${upstream}\neject` : `${upstream}\neject ${worker}`;
}

function upstreamOf(key: string): string {
  const end = key.indexOf("\n");
  return end === -1 ? key : key.slice(0, end);
}
