import { isConnectFailure } from "../errors.ts";
import type { Attempt, AttemptHost } from "./attempt.ts";
import { isFailureStatus } from "./availability/failure-status.ts";
import type { Outage } from "./availability/outage.ts";
import type { OpenTunnel, OpenTunnels } from "./open-tunnels.ts";
import type { PoolContext } from "./pool-context.ts";
import { isUpstreamFailure, type Member, type Outcome } from "./upstream.ts";

/** Observes how each attempt goes, and whether that counts against its upstream. Waiting requests are woken afterwards. */
export interface AttemptObserver {
  /** The response headers are here. */
  onResponded(attempt: Attempt, failed: boolean): void;
  /** The attempt has given up its place, and the upstream is otherwise as it was. */
  onSettled(attempt: Attempt, outcome: Outcome, failed: boolean): void;
}

/**
 * Records the outcomes of attempts with their upstreams. Each outcome is one update of the pool: counters, observers,
 * ejections and releases come first, and waiting requests are woken once, at its end. So an upstream that is ejected for an
 * outcome is out before any waiter is let in, and no request runs inside the loop over the observers.
 */
export class AttemptAccounting implements AttemptHost {
  readonly observers: Set<AttemptObserver> = new Set();
  readonly #context: PoolContext;
  readonly #outage: Outage;
  readonly #tunnels: OpenTunnels;
  readonly #onRelieved: (member: Member) => void;

  /** `onRelieved` is called with a member that has a request or a tunnel less. */
  constructor(
    context: PoolContext,
    { outage }: { readonly outage: Outage },
    tunnels: OpenTunnels,
    onRelieved: (member: Member) => void,
  ) {
    this.#context = context;
    this.#outage = outage;
    this.#tunnels = tunnels;
    this.#onRelieved = onRelieved;
  }

  onResponded(member: Member, attempt: Attempt): void {
    const { options, runtime } = this.#context;
    const failed = isFailureStatus(attempt.status, options);
    member.served = true;
    this.#outage.onSuccess(member);
    member.recordHeaders(attempt.headersMs ?? 0, failed, runtime.clock.now());
    this.#context.beginUpdate();
    try {
      for (const observer of this.observers) observer.onResponded(attempt, failed);
    } finally {
      this.#context.endUpdate();
    }
  }

  onSettled(member: Member, attempt: Attempt, outcome: Outcome): void {
    const wasFull = member.full;
    member.inFlight--;
    this.#record(member, attempt, outcome, wasFull);
  }

  /** The place stays taken, so that no waiter can have it in between. */
  onTunnelOpened(member: Member, attempt: Attempt, tunnel: OpenTunnel | undefined): () => void {
    member.tunnels++;
    const forget = tunnel && this.#tunnels.opened(member, tunnel);
    this.#record(member, attempt, "success", member.full);
    return () => {
      forget?.();
      this.#onTunnelClosed(member);
    };
  }

  #onTunnelClosed(member: Member): void {
    const wasFull = member.full;
    member.inFlight--;
    member.tunnels--;
    this.#context.beginUpdate();
    if (wasFull) this.#context.changed();
    this.#onRelieved(member);
    this.#context.endUpdate();
  }

  #record(member: Member, attempt: Attempt, outcome: Outcome, wasFull: boolean): void {
    this.#context.beginUpdate();
    try {
      this.#conclude(member, attempt, outcome);
      if (wasFull) this.#context.changed();
      this.#onRelieved(member);
    } finally {
      this.#context.endUpdate();
    }
  }

  #conclude(member: Member, attempt: Attempt, outcome: Outcome): void {
    const { options, runtime } = this.#context;
    member.recordOutcome(outcome, runtime.clock.wallNow());
    const fault = isUpstreamFailure(outcome);
    if (fault) {
      if (isConnectFailure(outcome)) this.#outage.onConnectFailure();
      const now = runtime.clock.now();
      member.responsiveness.record(now - attempt.startedAt, true, now);
    }
    const failed = fault || isFailureStatus(attempt.status, options);
    for (const observer of this.observers) observer.onSettled(attempt, outcome, failed);
    member.trial?.settled(attempt);
    if (fault) this.#context.emit("failure", member);
  }
}
