import type { ResolvedPool } from "../config/resolved.ts";
import type { Upstream } from "./upstream.ts";

/** What becomes of the health verdicts, ejections and weight factors that a watcher has given, once it has stopped. */
export type Verdicts = "keep" | "withdraw";

/**
 * Watches a pool in the background and reports to it. Health checks, outlier detection, weight feedback and discovery have
 * this one life cycle:
 *
 *     start ──> reconfigure, at each reload ──> stop
 *
 * A watcher exists while the options of the pool ask for it. `stop("keep")` is for a pool that is removed or closes, and
 * finishes its requests with what is known. `stop("withdraw")` is for options that do not ask for the watcher any more:
 * nothing would correct its verdicts.
 */
export interface PoolWatcher {
  /** Begins to watch. Upstreams that are `serving` already keep their traffic until a verdict takes it from them. */
  start(serving: readonly Upstream[]): void;
  /**
   * Called at every reload, with the same options or with different ones. Verdicts stay. `serving` as in `start`: upstreams
   * that join with the reload are not among them.
   */
  reconfigure(options: ResolvedPool, serving: readonly Upstream[]): void;
  /** Ends it: what is in flight has no effect any more, and no timer is left. */
  stop(verdicts: Verdicts): void;
}
