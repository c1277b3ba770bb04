import { limits } from "../config/defaults.ts";
import type { Clock, Timer } from "../runtime/clock.ts";
import { durationText } from "./duration-text.ts";
import type { LogEntry, LogLevel, WriteEntry } from "./logger.ts";

/** How many entries one source may write: so many at once, and one more in each `refillMs`. */
export interface BudgetLimits {
  readonly entries: number;
  readonly refillMs: number;
  /** Milliseconds between summaries once the budget is used up. The last one repeats. */
  readonly summariesMs: readonly number[];
}

/**
 * Bounds the entries of one source of changes, such as an upstream that flaps. When the budget is used up, changes are
 * counted, and one entry summarizes them in each interval. After an interval of ten minutes without a change the budget is
 * full again.
 */
export class ChangeBudget {
  readonly #name: string;
  readonly #fields: LogEntry["fields"];
  readonly #limits: BudgetLimits;
  readonly #clock: Clock;
  readonly #write: WriteEntry;
  #entries: number;
  #refilledAt: number;
  /** Counts by kind since the last summary. */
  readonly #held = new Map<string, number>();
  #last: LogEntry | undefined;
  #worst: LogLevel = "debug";
  #step = 0;
  #timer: Timer | undefined;

  /** `name` and `fields` say in a summary whose changes they are. */
  constructor(name: string, fields: LogEntry["fields"], budget: BudgetLimits, clock: Clock, write: WriteEntry) {
    this.#name = name;
    this.#fields = fields;
    this.#limits = budget;
    this.#clock = clock;
    this.#write = write;
    this.#entries = budget.entries;
    this.#refilledAt = clock.now();
  }

  /** Passes the entry to `write`, or counts it as one of `kind`. */
  add(entry: LogEntry, kind: string, write: WriteEntry): void {
    this.#refill();
    if (this.#timer === undefined && this.#entries >= 1) {
      this.#entries--;
      return write(entry);
    }
    this.#held.set(kind, (this.#held.get(kind) ?? 0) + 1);
    this.#last = entry;
    this.#worst = worse(this.#worst, entry.level);
    if (this.#timer === undefined) this.#startTimer();
  }

  /** Writes what it has counted. */
  close(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#summarize();
  }

  #refill(): void {
    const { entries, refillMs } = this.#limits;
    const now = this.#clock.now();
    this.#entries = Math.min(entries, this.#entries + (now - this.#refilledAt) / refillMs);
    this.#refilledAt = now;
  }

  #startTimer(): void {
    const { summariesMs } = this.#limits;
    const delayMs = summariesMs[this.#step] as number;
    this.#step = Math.min(this.#step + 1, summariesMs.length - 1);
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      if (this.#held.size > 0) {
        this.#summarize(delayMs);
        this.#startTimer();
      } else {
        this.#step = 0;
        // Not sooner: upstreams that all flap every few minutes would each be logged each time.
        if (delayMs >= limits.logCalmMs) this.#entries = this.#limits.entries;
      }
    }, delayMs);
  }

  #summarize(withinMs?: number): void {
    const last = this.#last;
    if (last === undefined) return;
    const kinds = Object.fromEntries(this.#held);
    const changes = [...this.#held.values()].reduce((sum, count) => sum + count, 0);
    const list = [...this.#held].map(([kind, count]) => `${count} ${kind}`).join(", ");
    const within = withinMs === undefined ? "" : ` in ${durationText(withinMs)}`;
    const message = `${this.#name}: ${changes} more changes${within} (${list}), the last: ${last.message}`;
    this.#write({ level: this.#worst, message, fields: { ...this.#fields, changes, kinds } });
    this.#held.clear();
    this.#last = undefined;
    this.#worst = "debug";
  }
}

/** Of an upstream: a flapping one is summarized, first after ten minutes, then each hour. */
export const upstreamBudget: BudgetLimits = {
  entries: limits.logUpstreamChanges,
  refillMs: 600_000,
  summariesMs: [600_000, 3_600_000],
};

/** Of all upstreams of a pool together, which may all change in one second. */
export const poolBudget: BudgetLimits = {
  entries: limits.logPoolChanges,
  refillMs: 60_000,
  summariesMs: [10_000, 60_000, 600_000, 3_600_000],
};

const levels: readonly LogLevel[] = ["debug", "info", "warn", "error"];

function worse(a: LogLevel, b: LogLevel): LogLevel {
  return levels.indexOf(a) > levels.indexOf(b) ? a : b;
}
