import type { ResolvedPool } from "../config/resolved.ts";
import type { PoolEvents } from "../events.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Upstream } from "./upstream.ts";

/** What a pool tells: its events, and beside them what only its own health checks ask for. */
export interface PoolSignals extends PoolEvents {
  /** An attempt failed on account of its upstream: the next probe should come at once. */
  failure: [Upstream];
  /** A probe has come back: whether well, and when it began. */
  probe: [upstream: Upstream, success: boolean, startedAt: number];
}

/** What the parts of a pool need of the whole. */
export interface PoolContext {
  readonly name: string;
  readonly runtime: Runtime;
  /** Those in force; a reload replaces them whole. */
  readonly options: ResolvedPool;
  /** To be called after any change of which members can be picked: forgets the lists, and wakes waiters. */
  changed(): void;
  /** Begins a change of several parts: no waiter is woken before `endUpdate`. */
  beginUpdate(): void;
  /** Ends it, on every path, and wakes waiters if `changed` was called meanwhile. */
  endUpdate(): void;
  /** To be called after an effective weight has changed: gives policies another list. */
  reweighed(): void;
  emit<K extends keyof PoolSignals>(name: K, ...args: PoolSignals[K]): void;
}
