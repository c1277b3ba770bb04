import { isConnectFailure } from "../errors.ts";
import { isFailureStatus } from "./availability/failure-status.ts";
import type { Outage } from "./availability/outage.ts";
import type { OpenTunnel, OpenTunnels } from "./open-tunnels.ts";
import type { PoolContext } from "./pool-context.ts";
import { isUpstreamFailure, type Member, type Outcome, type Upstream } from "./upstream.ts";

/**
 * An attempt of a request on one upstream. It counts in the upstream's `inFlight` until `settle`, or, after `becomeTunnel`,
 * until the tunnel has closed. Every path must call one of the two; later calls do nothing.
 */
export class Attempt {
  /** On the monotonic clock. */
  readonly startedAt: number;
  /** Milliseconds to open the connection; undefined on a reused connection. */
  connectMs: number | undefined;
  /** Milliseconds to the response headers; undefined before they have arrived. */
  headersMs: number | undefined;
  /** The status of the response; of a gRPC call in the end the HTTP status with the meaning of its own. */
  status: number | undefined;
  /** No available upstream could be connected, and this one is not available. A success counts as its trial. */
  readonly lastResort: boolean;
  /** Its response head counts as a failure, which the upstream's responsiveness includes. */
  failedAtHead = false;
  readonly #member: Member;
  readonly #accounting: AttemptAccounting;
  #settled = false;

  constructor(member: Member, startedAt: number, lastResort: boolean, accounting: AttemptAccounting) {
    this.#member = member;
    this.startedAt = startedAt;
    this.lastResort = lastResort;
    this.#accounting = accounting;
  }

  /** It belongs to the current trial of its upstream. */
  get onTrial(): boolean {
    return this.#member.trial?.has(this) === true;
  }

  get upstream(): Upstream {
    return this.#member;
  }

  /** The response headers have arrived after `ms`. */
  responded(ms: number, status: number): void {
    this.headersMs = ms;
    this.status = status;
    this.#accounting.responded(this.#member, this);
  }

  settle(outcome: Outcome): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#accounting.settled(this.#member, this, outcome);
  }

  /** Settles it as a success; the tunnel keeps its place. Returns the function to call when the tunnel has closed. */
  becomeTunnel(tunnel?: OpenTunnel): () => void {
    if (this.#settled) return () => {};
    this.#settled = true;
    const onClosed = this.#accounting.tunnelOpened(this.#member, this, tunnel);
    let open = true;
    return () => {
      if (open) onClosed();
      open = false;
    };
  }
}

/** Observes attempts, and whether they count as failures of their upstream. Waiting requests are woken afterwards. */
export interface AttemptObserver {
  /** The response headers have arrived. */
  onResponded(attempt: Attempt, failed: boolean): void;
  /** The attempt has released its place; otherwise the upstream is unchanged. */
  onSettled(attempt: Attempt, outcome: Outcome, failed: boolean): void;
}

/**
 * Records the outcomes of attempts in their upstreams. Each outcome is one update of the pool: counters, observers,
 * ejections and releases come first, and waiting requests are woken once, at its end. So an upstream that is ejected for an
 * outcome is out before any waiter is woken, and no request runs inside the loop over the observers.
 */
export class AttemptAccounting {
  readonly observers: Set<AttemptObserver> = new Set();
  readonly #context: PoolContext;
  readonly #outage: Outage;
  readonly #tunnels: OpenTunnels;
  readonly #onReleased: (member: Member) => void;

  /** `onReleased` is called with the upstream after each end of a request or tunnel. */
  constructor(
    context: PoolContext,
    { outage }: { readonly outage: Outage },
    tunnels: OpenTunnels,
    onReleased: (member: Member) => void,
  ) {
    this.#context = context;
    this.#outage = outage;
    this.#tunnels = tunnels;
    this.#onReleased = onReleased;
  }

  responded(member: Member, attempt: Attempt): void {
    const { options, runtime } = this.#context;
    const failed = isFailureStatus(attempt.status, options);
    attempt.failedAtHead = failed;
    member.served = true;
    this.#outage.onSuccess(member);
    member.recordHeaders(attempt.headersMs ?? 0, attempt.status, failed, runtime.clock.now());
    this.#context.beginUpdate();
    try {
      for (const observer of this.observers) observer.onResponded(attempt, failed);
    } finally {
      this.#context.endUpdate();
    }
  }

  settled(member: Member, attempt: Attempt, outcome: Outcome): void {
    const wasFull = member.full;
    member.inFlight--;
    this.#record(member, attempt, outcome, wasFull);
  }

  /** The place stays taken throughout, so that no waiter can get it. */
  tunnelOpened(member: Member, attempt: Attempt, tunnel: OpenTunnel | undefined): () => void {
    member.tunnels++;
    const forget = tunnel && this.#tunnels.opened(member, tunnel);
    this.#record(member, attempt, "success", member.full);
    return () => {
      forget?.();
      this.#tunnelClosed(member);
    };
  }

  #tunnelClosed(member: Member): void {
    const wasFull = member.full;
    member.inFlight--;
    member.tunnels--;
    this.#context.beginUpdate();
    if (wasFull) this.#context.changed();
    this.#onReleased(member);
    this.#context.endUpdate();
  }

  #record(member: Member, attempt: Attempt, outcome: Outcome, wasFull: boolean): void {
    this.#context.beginUpdate();
    try {
      this.#conclude(member, attempt, outcome);
      if (wasFull) this.#context.changed();
      this.#onReleased(member);
    } finally {
      this.#context.endUpdate();
    }
  }

  #conclude(member: Member, attempt: Attempt, outcome: Outcome): void {
    const { options, runtime } = this.#context;
    member.recordOutcome(outcome, runtime.clock.wallNow());
    const fault = isUpstreamFailure(outcome);
    const failed = fault || isFailureStatus(attempt.status, options);
    if (fault && isConnectFailure(outcome)) this.#outage.onConnectFailure();
    if (fault || (failed && !attempt.failedAtHead)) {
      const now = runtime.clock.now();
      // The duration of a stream that ends with a status of failure says nothing about latency.
      const ms = fault ? now - attempt.startedAt : (attempt.headersMs ?? 0);
      member.responsiveness.record(ms, true, now);
    }
    for (const observer of this.observers) observer.onSettled(attempt, outcome, failed);
    member.trial?.settled(attempt);
    if (fault) this.#context.emit("failure", member);
  }
}
