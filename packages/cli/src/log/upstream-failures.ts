import {
  type AttemptRecord,
  type ErrorCode,
  ProxyError,
  type RequestEvent,
  type Proxy as ReverseProxy,
} from "evenkeel";
import type { Logger } from "pino";
import { limits } from "../limits.ts";
import { ThrottledWarning } from "../throttled-warning.ts";

interface Failing {
  readonly warning: ThrottledWarning;
  /** The last failure. */
  attempt: AttemptRecord;
}

/**
 * Warns about upstreams that fail requests, where no other log line reports it: without health checks an upstream is never
 * unhealthy, and the only upstream of a pool is never ejected, so only the access log would have their failures. Logs at most
 * one warning for each upstream in `limits.repeatedWarningMs`, with the number of requests.
 */
export class UpstreamFailures {
  readonly #proxy: ReverseProxy;
  readonly #logger: Logger;
  /** By pool and upstream, in the order of their first failures. */
  readonly #failing = new Map<string, Failing>();

  constructor(proxy: ReverseProxy, logger: Logger) {
    this.#proxy = proxy;
    this.#logger = logger;
    proxy.on("request", this.#onRequest);
  }

  /** Reports the failures since the last warnings. */
  close(): void {
    this.#proxy.off("request", this.#onRequest);
    for (const { warning } of this.#failing.values()) warning.close();
    this.#failing.clear();
  }

  readonly #onRequest = ({ pool, error, attempts }: RequestEvent): void => {
    // The fast path: most requests succeed with one attempt.
    if (pool === undefined || (error === undefined && attempts.length < 2)) return;
    const counted = new Set<string>();
    for (const attempt of attempts) {
      if (attempt.error === undefined || counted.has(attempt.upstream) || !isUpstreamFault(attempt.error)) continue;
      counted.add(attempt.upstream);
      if (this.#isUnwatched(pool)) this.#add(pool, attempt);
    }
  };

  #isUnwatched(name: string): boolean {
    const pool = this.#proxy.pools.get(name);
    if (pool === undefined || pool.options.healthCheck !== undefined) return false;
    return pool.upstreams.length === 1 || pool.options.outlierDetection === undefined;
  }

  #add(pool: string, attempt: AttemptRecord): void {
    const key = `${pool}/${attempt.upstream}`;
    let failing = this.#failing.get(key);
    if (failing === undefined) {
      this.#makeRoom();
      failing = { attempt, warning: new ThrottledWarning((requests) => this.#warn(pool, key, requests)) };
      this.#failing.set(key, failing);
    }
    failing.attempt = attempt;
    failing.warning.add();
  }

  #makeRoom(): void {
    const [first] = this.#failing;
    if (first === undefined || this.#failing.size < limits.failingUpstreams) return;
    first[1].warning.close();
    this.#failing.delete(first[0]);
  }

  #warn(pool: string, key: string, requests: number): void {
    const attempt = this.#failing.get(key)?.attempt;
    if (attempt === undefined) return;
    const { upstream, error, cause } = attempt;
    const why = cause === undefined ? error : `${error}, ${cause}`;
    const times = requests === 1 ? "a request" : `${requests} requests`;
    this.#logger.warn(
      { pool, upstream, error, cause, requests },
      `${key} failed ${times}: ${why}; its pool has no health checks`,
    );
  }
}

const faults = new Map<ErrorCode, boolean>();

function isUpstreamFault(code: ErrorCode): boolean {
  const known = faults.get(code);
  if (known !== undefined) return known;
  const fault = new ProxyError(code, "").source === "upstream";
  faults.set(code, fault);
  return fault;
}
