import { limits } from "../config/defaults.ts";
import { type ErrorCode, errorKind } from "../errors.ts";
import type { AttemptRecord, ExceptionEvent } from "../events.ts";
import type { RequestProblem } from "../forward/reporter.ts";
import type { Pool } from "../pool/pool.ts";
import type { Clock } from "../runtime/clock.ts";
import { messageOf } from "../runtime/error-text.ts";
import type { LogEntry, WriteEntry } from "./logger.ts";
import { RepeatedProblem } from "./repeated-problem.ts";

interface Problem {
  readonly repeated: RepeatedProblem;
  /** Formats the last occurrence. */
  describe: (count: number) => LogEntry;
}

/**
 * Logs what fails requests where no other entry reports it: exceptions of the app's own code, limits of the proxy, and
 * upstreams without a verdict. Without health checks an upstream is never unhealthy, and the only upstream of a pool is never
 * ejected. Each problem is logged at once, then with its count at growing intervals.
 */
export class RequestFailures {
  readonly #clock: Clock;
  readonly #write: WriteEntry;
  /** In the order of their first occurrences. */
  readonly #problems = new Map<string, Problem>();

  constructor(clock: Clock, write: WriteEntry) {
    this.#clock = clock;
    this.#write = write;
  }

  onException({ where, requestId, pool, error }: ExceptionEvent): void {
    this.#add(`${where} ${pool}`, (count) => ({
      level: "error",
      message: `${where} failed${count === 1 ? "" : ` ${count} times`}: ${messageOf(error)}`,
      fields: { err: error, where, requestId, pool, count },
    }));
  }

  onProblem({ pool, error, attempts }: RequestProblem): void {
    if (error !== undefined && limitCodes.has(error)) this.#addLimit(pool?.name, error);
    if (pool === undefined || !isUnwatched(pool)) return;
    const counted = new Set<string>();
    for (const attempt of attempts) {
      if (attempt.error === undefined || counted.has(attempt.upstream)) continue;
      if (errorKind(attempt.error).source !== "upstream") continue;
      counted.add(attempt.upstream);
      this.#addUpstream(pool.name, attempt);
    }
  }

  /** Logs the failures since the last entries. */
  close(): void {
    for (const { repeated } of this.#problems.values()) repeated.close();
    this.#problems.clear();
  }

  #addLimit(pool: string | undefined, error: ErrorCode): void {
    this.#add(`${error} ${pool}`, (requests) => ({
      level: "warn",
      message: `${pool === undefined ? "" : `${pool}: `}${countOf(requests)} failed: ${error}`,
      fields: { pool, error, requests },
    }));
  }

  #addUpstream(pool: string, { upstream, error, cause }: AttemptRecord): void {
    const why = cause === undefined ? error : `${error}, ${cause}`;
    this.#add(`${pool}/${upstream}`, (requests) => ({
      level: "warn",
      message: `${pool}/${upstream} failed ${countOf(requests)}: ${why}; its pool has no health checks`,
      fields: { pool, upstream, error, cause, requests },
    }));
  }

  #add(key: string, describe: Problem["describe"]): void {
    let problem = this.#problems.get(key);
    if (problem === undefined) {
      this.#makeRoom();
      const repeated = new RepeatedProblem(this.#clock, (count) => this.#report(key, count));
      problem = { describe, repeated };
      this.#problems.set(key, problem);
    }
    problem.describe = describe;
    problem.repeated.add();
  }

  #report(key: string, count: number): void {
    const problem = this.#problems.get(key);
    if (problem !== undefined) this.#write(problem.describe(count));
  }

  #makeRoom(): void {
    const [first] = this.#problems;
    if (first === undefined || this.#problems.size < limits.loggedSources) return;
    first[1].repeated.close();
    this.#problems.delete(first[0]);
  }
}

/** Failures that no upstream has caused, and no exception. */
const limitCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "none_available",
  "sticky_unavailable",
  "queue_full",
  "queue_timeout",
  "no_file_descriptors",
  "connection_limit",
]);

/** Whether no verdict and no ejection can report that an upstream of the pool fails. */
function isUnwatched({ options, upstreams }: Pool): boolean {
  if (options.healthCheck !== undefined) return false;
  return upstreams.length === 1 || options.outlierDetection === undefined;
}

function countOf(requests: number): string {
  return requests === 1 ? "a request" : `${requests} requests`;
}
