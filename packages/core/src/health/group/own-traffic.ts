import type { Attempt, AttemptObserver } from "../../pool/attempt.ts";
import { isUpstreamFailure, type Outcome, type Upstream } from "../../pool/upstream.ts";

/** Which upstreams the requests of this participant reach. */
export class OwnTraffic implements AttemptObserver {
  /** The start of the latest attempt that got a response, on the monotonic clock. Absent after a failure. */
  readonly #reached = new WeakMap<Upstream, number>();
  readonly #onChange: (upstream: Upstream) => void;

  /** `onChange` is called when an unhealthy upstream was reached, and when one that was reached fails. */
  constructor(onChange: (upstream: Upstream) => void) {
    this.#onChange = onChange;
  }

  /** Whether an attempt that began after this time got a response, and no attempt has failed since. */
  reachedAfter(upstream: Upstream, time: number): boolean {
    return (this.#reached.get(upstream) ?? -Infinity) > time;
  }

  onResponded({ upstream, startedAt }: Attempt): void {
    const before = this.#reached.get(upstream);
    if (before === undefined || startedAt > before) this.#reached.set(upstream, startedAt);
    if (upstream.health === "unhealthy") this.#onChange(upstream);
  }

  onSettled({ upstream }: Attempt, outcome: Outcome): void {
    if (isUpstreamFailure(outcome) && this.#reached.delete(upstream)) this.#onChange(upstream);
  }
}
