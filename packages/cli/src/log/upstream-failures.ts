import {
  type AttemptRecord,
  type ErrorCode,
  ProxyError,
  type RequestEvent,
  type Proxy as ReverseProxy,
} from "evenkeel";
import type { Logger } from "pino";
import { limits } from "../limits.ts";
import { Tally } from "../throttled-warning.ts";

interface Failing {
  readonly tally: Tally;
  /** The last failure. */
  attempt: AttemptRecord;
}

/**
 * Warns of upstreams that fail requests while nothing else would: without probes there is no verdict, and the only upstream
 * of a pool is never ejected, so their failures would be in the access log alone. At most one warning for each upstream in
 * `limits.repeatedWarningMs`, with the number of requests.
 */
export class UpstreamFailures {
  readonly #proxy: ReverseProxy;
  readonly #logger: Logger;
  /** By pool and upstream, the one that failed first in front. */
  readonly #failing = new Map<string, Failing>();

  constructor(proxy: ReverseProxy, logger: Logger) {
    this.#proxy = proxy;
    this.#logger = logger;
    proxy.on("request", this.#onRequest);
  }

  /** Reports what has been counted since the last warnings. */
  close(): void {
    this.#proxy.off("request", this.#onRequest);
    for (const { tally } of this.#failing.values()) tally.close();
    this.#failing.clear();
  }

  readonly #onRequest = ({ pool, error, attempts }: RequestEvent): void => {
    // Most requests: one attempt, and it went well.
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
      failing = { attempt, tally: new Tally((requests) => this.#warn(pool, key, requests)) };
      this.#failing.set(key, failing);
    }
    failing.attempt = attempt;
    failing.tally.add();
  }

  #makeRoom(): void {
    const [first] = this.#failing;
    if (first === undefined || this.#failing.size < limits.failingUpstreams) return;
    first[1].tally.close();
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
