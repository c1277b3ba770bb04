import type { Duration, UpstreamOptions } from "../config/options.ts";
import type { ResolvedPool } from "../config/resolved.ts";
import { type PoolEvents, poolEventNames, type UpstreamState } from "../events.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Candidates } from "./availability/candidates.ts";
import type { PoolLimits } from "./limits/pool-limits.ts";
import type { Upstream } from "./upstream.ts";

/** What an operator has changed: a weight, a state, or the membership, which `null` ends. */
export type OperatorChange =
  | { readonly what: "weight"; readonly weight: number }
  | { readonly what: "state"; readonly state: UpstreamState; readonly timeout: Duration | undefined }
  | { readonly what: "member"; readonly options: UpstreamOptions | null };

/** The events of a pool, and the internal signals for its watchers. */
export interface PoolSignals extends PoolEvents {
  /** An attempt failed because of its upstream: the next probe should follow at once. */
  failure: [Upstream];
  /** A probe has ended. `startedAt` is on the monotonic clock. `elsewhere`: another participant of the group has probed. */
  probe: [upstream: Upstream, success: boolean, startedAt: number, elsewhere: boolean];
  /** An operator has changed an upstream through the methods of the pool. */
  operated: [upstream: Upstream, change: OperatorChange];
}

/** What the parts of a pool need from the pool. */
export interface PoolContext {
  readonly name: string;
  readonly runtime: Runtime;
  /** The current options; a reload replaces the object. */
  readonly options: ResolvedPool;
  readonly limits: PoolLimits;
  /** Call after any change of which members can be picked. Drops the lists and wakes waiters. */
  changed(): void;
  /** Begins a change of several parts: no waiter is woken before `endUpdate`. */
  beginUpdate(): void;
  /** Call on every path after `beginUpdate`. Wakes waiters if `changed` was called in between. */
  endUpdate(): void;
  /** Call after an effective weight has changed. Gives policies a new list. */
  reweighed(): void;
  emit<K extends keyof PoolSignals>(name: K, ...args: PoolSignals[K]): void;
}

/** Where a pool keeps what its parts need. */
interface PoolParts extends Pick<PoolContext, "emit"> {
  options(): ResolvedPool;
  limits(): PoolLimits;
  candidates(): Candidates;
}

export function createPoolContext(name: string, runtime: Runtime, parts: PoolParts): PoolContext {
  return {
    name,
    runtime,
    get options() {
      return parts.options();
    },
    get limits() {
      return parts.limits();
    },
    changed: () => parts.candidates().invalidate(),
    beginUpdate: () => parts.candidates().beginUpdate(),
    endUpdate: () => parts.candidates().endUpdate(),
    reweighed: () => parts.candidates().reweighed(),
    emit: (event, ...args) => {
      parts.emit(event, ...args);
      if (mayChangeServing.has(event)) parts.candidates().noteServing();
    },
  };
}

/** The events after which a pool may have begun or ceased to serve. Others follow single attempts and probes. */
const mayChangeServing: ReadonlySet<keyof PoolSignals> = new Set(poolEventNames);
