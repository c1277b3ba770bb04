import { isConnectFailure } from "../errors.ts";
import type { Attempt, AttemptHost } from "./attempt.ts";
import { isFailureStatus } from "./availability/failure-status.ts";
import type { Outage } from "./availability/outage.ts";
import type { OpenTunnel, OpenTunnels } from "./open-tunnels.ts";
import type { PoolContext } from "./pool-context.ts";
import { isUpstreamFailure, type Member, type Outcome } from "./upstream.ts";

/** Hears how each attempt goes, and whether that counts against its upstream. */
export interface AttemptObserver {
  /** The response headers are here. */
  onAnswered(attempt: Attempt, failed: boolean): void;
  /** The upstream is still what it was, and who waits for room has not been let in yet. */
  onSettled(attempt: Attempt, outcome: Outcome, failed: boolean): void;
}

/** What attempts leave behind with the upstreams that they were made on. */
export class Accounts implements AttemptHost {
  readonly observers: Set<AttemptObserver> = new Set();
  readonly #context: PoolContext;
  readonly #outage: Outage;
  readonly #tunnels: OpenTunnels;
  readonly #onRelieved: (member: Member) => void;

  /** `onRelieved` is called with whoever has a request or a tunnel less. */
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

  onAnswered(member: Member, attempt: Attempt): void {
    const { options, runtime } = this.#context;
    const failed = isFailureStatus(attempt.status, options);
    member.served = true;
    this.#outage.onSuccess(member);
    member.recordHeaders(attempt.headersMs ?? 0, failed, runtime.clock.now());
    for (const observer of this.observers) observer.onAnswered(attempt, failed);
  }

  onSettled(member: Member, attempt: Attempt, outcome: Outcome): void {
    const wasFull = member.full;
    member.inFlight--;
    this.#conclude(member, attempt, outcome, wasFull);
  }

  /** The place stays taken, so that nobody who waits can have it in between. */
  onTunnelOpened(member: Member, attempt: Attempt, tunnel: OpenTunnel | undefined): () => void {
    member.tunnels++;
    this.#conclude(member, attempt, "success", member.full);
    const forget = tunnel && this.#tunnels.opened(member, tunnel);
    return () => {
      forget?.();
      this.#onTunnelClosed(member);
    };
  }

  #onTunnelClosed(member: Member): void {
    const wasFull = member.full;
    member.inFlight--;
    member.tunnels--;
    if (wasFull) this.#context.changed();
    this.#onRelieved(member);
  }

  /** In this order: whoever is ejected for it is out before anybody who waits is let in. */
  #conclude(member: Member, attempt: Attempt, outcome: Outcome, wasFull: boolean): void {
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
    if (wasFull) this.#context.changed();
    if (fault) this.#context.emit("failure", member);
    this.#onRelieved(member);
  }
}
