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
  /** The first sample. */
  readonly #first: number;

  /** What was counted before sample `first` belongs to no sample. */
  constructor(first: number, before: Counts) {
    this.#first = first;
    this.#last = before;
  }

  /** `number` is that of the sample before, plus one; `seconds` is the time since. */
  add(number: number, seconds: number, counts: Counts): void {
    const before = continues(counts, this.#last) ? this.#last : undefined;
    if (before === undefined || this.#durations.length !== counts.buckets.length * trafficSamples) {
      this.#durations = new Float32Array(counts.buckets.length * trafficSamples);
    }
    const durations = this.#durationsOf(number, counts.buckets.length);
    for (const [index, count] of counts.buckets.entries()) durations[index] = count - (before?.buckets[index] ?? 0);
    const place = (number % trafficSamples) * added.length;
    for (const [index, name] of added.entries()) this.#added[place + index] = counts[name] - (before?.[name] ?? 0);
    this.#last = counts;
    const [requests = 0, errors = 0] = this.#added.subarray(place);
    const values: Readonly<Record<Column, number | null>> = {
      rate: requests / seconds,
      errorRatio: requests === 0 ? null : Math.min(1, errors / requests),
      p50: quantileOf(counts.bounds, durations, 0.5),
      p99: quantileOf(counts.bounds, durations, 0.99),
      inFlight: counts.inFlight,
      queueDepth: counts.queueDepth,
    };
    for (const [row, column] of columns.entries()) {
      this.#values[row * windowSamples + (number % windowSamples)] = values[column] ?? Number.NaN;
    }
  }

  /** Of all samples of a span together, of at most `trafficSamples`. */
  traffic(span: Span): Traffic {
    const { seconds, requests, errors } = this.#sum(span);
    if (seconds === 0) return unmeasured;
    const { bounds } = this.#last;
    const durations = this.#sumDurations(span);
    return {
      rate: round(requests / seconds),
      errorRatio: requests === 0 ? null : round(Math.min(1, errors / requests), 4),
      p50: roundOrNull(quantileOf(bounds, durations, 0.5)),
      p99: roundOrNull(quantileOf(bounds, durations, 0.99)),
    };
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
    const { seconds, retries, budgetExhausted } = this.#sum(span);
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

  #sum(span: Span): Record<(typeof added)[number] | "seconds", number> {
    const sum = { seconds: 0, requests: 0, errors: 0, retries: 0, budgetExhausted: 0 };
    for (const [back, number] of this.#numbers(span).entries()) {
      sum.seconds += span.seconds[back] ?? 0;
      for (const [index, name] of added.entries()) {
        sum[name] += this.#added[(number % trafficSamples) * added.length + index] ?? 0;
      }
    }
    return sum;
  }

  #sumDurations(span: Span): number[] {
    const { length } = this.#last.buckets;
    const sums = new Array<number>(length).fill(0);
    for (const number of this.#numbers(span)) {
      const start = (number % trafficSamples) * length;
      for (let index = 0; index < length; index++) {
        (sums[index] as number) += this.#durations[start + index] ?? 0;
      }
    }
    return sums;
  }

  /** The numbers of the samples that this window has, newest first. */
  #numbers(span: Span): number[] {
    return Array.from({ length: this.#lengthOf(span) }, (_, back) => span.newest - back);
  }

  #lengthOf({ newest, seconds }: Span): number {
    return Math.max(0, Math.min(seconds.length, newest - this.#first + 1));
  }

  #durationsOf(number: number, length: number): Float32Array {
    const start = (number % trafficSamples) * length;
    return this.#durations.subarray(start, start + length);
  }
}

export const unmeasured: Traffic = Object.freeze({ rate: null, errorRatio: null, p50: null, p99: null });

/** Counts begin anew when an upstream is replaced by one with its id, and durations when a reload changes the buckets. */
function continues(later: Counts, earlier: Counts): boolean {
  return (
    later.requests >= earlier.requests &&
    later.errors >= earlier.errors &&
    later.buckets.length === earlier.buckets.length &&
    later.buckets.every((count, index) => count >= (earlier.buckets[index] ?? 0)) &&
    later.bounds.every((bound, index) => bound === earlier.bounds[index])
  );
}

function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}

function roundOrNull(value: number | null): number | null {
  return value === null ? null : round(value);
}
