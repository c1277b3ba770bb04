import type { Traffic } from "../overview/overview.ts";
import type { Counts } from "./counts.ts";
import { quantileOf } from "./quantile.ts";

/** Samples that a window keeps. */
export const windowSamples = 60;
/** Samples of which the durations are kept, for the quantiles of several samples together. */
export const trafficSamples = 10;

const columns = ["rate", "errorRatio", "p50", "p99", "inFlight", "queueDepth"] as const;

export type Column = (typeof columns)[number];

/** Samples in a row: the number of the newest, and the seconds that each covers, newest first. */
export interface Span {
  readonly newest: number;
  readonly seconds: readonly number[];
}

/** What the samples of a span have added together. */
interface Recent {
  readonly span: Span;
  readonly seconds: number;
  readonly retries: number;
  readonly budgetExhausted: number;
  readonly traffic: Traffic;
}

/** What a sample has added to the counts. */
const added = ["requests", "errors", "retries", "budgetExhausted"] as const;
const errorsPlace = added.indexOf("errors");

/**
 * The last samples of one upstream, of one pool or of all requests, in typed arrays of a fixed size. Samples are numbered; the
 * place of a sample is its number modulo the number of places.
 */
export class Window {
  /** Row by row, one for each column. */
  readonly #values = new Float32Array(columns.length * windowSamples);
  readonly #added = new Float32Array(added.length * trafficSamples);
  /** What each of the last samples has added to the buckets. */
  #durations = new Float32Array(0);
  #last: Counts;
  #lastRecent: Recent | undefined;
  /** The first sample. */
  readonly #first: number;

  /** What was counted before sample `first` belongs to no sample. */
  constructor(first: number, before: Counts) {
    this.#first = first;
    this.#last = before;
  }

  /** `number` is that of the sample before, plus one; `seconds` is the time since. */
  add(number: number, seconds: number, counts: Counts): void {
    const before = this.#last;
    this.#last = counts;
    const anew = beginsAnew(counts, before);
    const place = (number % trafficSamples) * added.length;
    for (let index = 0; index < added.length; index++) {
      const name = added[index] as (typeof added)[number];
      this.#added[place + index] = Math.max(0, counts[name] - (anew ? 0 : before[name]));
    }
    const durations = this.#addDurations(number, counts, before);
    const requests = this.#added[place] ?? 0;
    const errors = this.#added[place + errorsPlace] ?? 0;
    const values: Readonly<Record<Column, number | null>> = {
      rate: requests / seconds,
      errorRatio: requests === 0 ? null : Math.min(1, errors / requests),
      p50: quantileOf(counts.bounds, durations, 0.5),
      p99: quantileOf(counts.bounds, durations, 0.99),
      inFlight: counts.inFlight,
      queueDepth: counts.queueDepth,
    };
    for (let row = 0; row < columns.length; row++) {
      const value = values[columns[row] as Column] ?? Number.NaN;
      this.#values[row * windowSamples + (number % windowSamples)] = value;
    }
  }

  /** Of all samples of a span together, of at most `trafficSamples`. */
  traffic(span: Span): Traffic {
    return this.#recent(span).traffic;
  }

  /** The number of errors of a span. It is asked for every upstream in each sample, so it allocates nothing. */
  errors(span: Span): number {
    const length = this.#lengthOf(span);
    let errors = 0;
    for (let back = 0; back < length; back++) {
      errors += this.#added[((span.newest - back) % trafficSamples) * added.length + errorsPlace] ?? 0;
    }
    return errors;
  }

  /** Null before the first sample. */
  retriesPerSecond(span: Span): { readonly retries: number | null; readonly budgetExhausted: number | null } {
    const { seconds, retries, budgetExhausted } = this.#recent(span);
    if (seconds === 0) return { retries: null, budgetExhausted: null };
    return { retries: round(retries / seconds), budgetExhausted: round(budgetExhausted / seconds) };
  }

  /** The values of each sample of a span, oldest first. */
  values(column: Column, { newest, seconds }: Span): (number | null)[] {
    const row = columns.indexOf(column) * windowSamples;
    return Array.from({ length: seconds.length }, (_, index) => {
      const number = newest - seconds.length + 1 + index;
      if (number < this.#first) return null;
      const value = this.#values[row + (number % windowSamples)] ?? Number.NaN;
      return Number.isNaN(value) ? null : round(value, column === "errorRatio" ? 4 : 2);
    });
  }

  /**
   * Returns the durations of this sample. It has none if a reload has changed the buckets: the counts stay, so what was counted
   * before cannot be told from what is new.
   */
  #addDurations(number: number, counts: Counts, before: Counts): Float32Array {
    const { bounds, buckets } = counts;
    const { length } = buckets;
    const sameBounds = isSame(bounds, before.bounds);
    if (!sameBounds || this.#durations.length !== length * trafficSamples) {
      this.#durations = new Float32Array(length * trafficSamples);
    }
    const start = (number % trafficSamples) * length;
    const durations = this.#durations.subarray(start, start + length);
    const known = beginsAnew(counts, before) ? [] : before.buckets;
    const follows = known.length === 0 || (sameBounds && !isLower(buckets, known));
    for (let index = 0; index < length; index++) {
      durations[index] = follows ? (buckets[index] ?? 0) - (known[index] ?? 0) : 0;
    }
    return durations;
  }

  /** Computed once for each span, whatever the number of readers. */
  #recent(span: Span): Recent {
    if (this.#lastRecent?.span !== span) this.#lastRecent = this.#sum(span);
    return this.#lastRecent;
  }

  #sum(span: Span): Recent {
    const { length } = this.#last.buckets;
    const samples = this.#lengthOf(span);
    const sums = { requests: 0, errors: 0, retries: 0, budgetExhausted: 0 };
    let seconds = 0;
    const durations = new Array<number>(length).fill(0);
    for (let back = 0; back < samples; back++) {
      const place = (span.newest - back) % trafficSamples;
      seconds += span.seconds[back] ?? 0;
      for (let index = 0; index < added.length; index++) {
        sums[added[index] as (typeof added)[number]] += this.#added[place * added.length + index] ?? 0;
      }
      for (let index = 0; index < length; index++) {
        (durations[index] as number) += this.#durations[place * length + index] ?? 0;
      }
    }
    const traffic = seconds === 0 ? unmeasured : trafficOf(sums, seconds, this.#last.bounds, durations);
    const { retries, budgetExhausted } = sums;
    return { span, seconds, retries, budgetExhausted, traffic };
  }

  #lengthOf({ newest, seconds }: Span): number {
    return Math.max(0, Math.min(seconds.length, newest - this.#first + 1));
  }
}

export const unmeasured: Traffic = Object.freeze({ rate: null, errorRatio: null, p50: null, p99: null });
const idle: Traffic = Object.freeze({ rate: 0, errorRatio: null, p50: null, p99: null });

function trafficOf(
  { requests, errors }: { readonly requests: number; readonly errors: number },
  seconds: number,
  bounds: readonly number[],
  durations: readonly number[],
): Traffic {
  if (requests === 0 && (durations.at(-1) ?? 0) === 0) return idle;
  return Object.freeze({
    rate: round(requests / seconds),
    errorRatio: requests === 0 ? null : round(Math.min(1, errors / requests), 4),
    p50: roundOrNull(quantileOf(bounds, durations, 0.5)),
    p99: roundOrNull(quantileOf(bounds, durations, 0.99)),
  });
}

/** Counts begin anew when an upstream is replaced by one with its id. */
function beginsAnew(later: Counts, earlier: Counts): boolean {
  return later.requests < earlier.requests || later.errors < earlier.errors;
}

function isLower(later: readonly number[], earlier: readonly number[]): boolean {
  return later.some((count, index) => count < (earlier[index] ?? 0));
}

function isSame(one: readonly number[], other: readonly number[]): boolean {
  return one === other || (one.length === other.length && one.every((value, index) => value === other[index]));
}

function round(value: number, digits = 2): number {
  const factor = 10 ** digits;
  return Math.round(value * factor) / factor;
}

function roundOrNull(value: number | null): number | null {
  return value === null ? null : round(value);
}
