import type { OpenTunnel } from "./open-tunnels.ts";
import type { Member, Outcome, Upstream } from "./upstream.ts";

/** The pool, as an attempt on one of its members sees it. */
export interface AttemptHost {
  onResponded(member: Member, attempt: Attempt): void;
  onSettled(member: Member, attempt: Attempt, outcome: Outcome): void;
  /** Returns what is to be called when the tunnel has closed. */
  onTunnelOpened(member: Member, attempt: Attempt, tunnel: OpenTunnel | undefined): () => void;
}

/**
 * One try on one upstream. It holds a place in the upstream's `inFlight` from its start until `settle`, or, after
 * `becomeTunnel`, until the tunnel has closed. One of the two has to be called on every path; later calls do nothing.
 */
export class Attempt {
  /** When it began, on the monotonic clock. */
  readonly startedAt: number;
  /** Milliseconds to open the connection; undefined on a reused connection. */
  connectMs: number | undefined;
  /** Milliseconds to the response headers, once they have arrived. */
  headersMs: number | undefined;
  /** The status that came with them. */
  status: number | undefined;
  /** Made since nothing available could be connected, on an upstream that is not: a success counts as its trial. */
  readonly lastResort: boolean;
  readonly #member: Member;
  readonly #host: AttemptHost;
  #settled = false;

  constructor(member: Member, startedAt: number, lastResort: boolean, host: AttemptHost) {
    this.#member = member;
    this.startedAt = startedAt;
    this.lastResort = lastResort;
    this.#host = host;
  }

  /** It is one of those by which its upstream is judged on the trial that is going on now. */
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
    this.#host.onResponded(this.#member, this);
  }

  settle(outcome: Outcome): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#host.onSettled(this.#member, this, outcome);
  }

  /**
   * Settles it as a success, and leaves its place to a tunnel, which the pool may end. Returns what is to be called when that
   * has closed.
   */
  becomeTunnel(tunnel?: OpenTunnel): () => void {
    if (this.#settled) return () => {};
    this.#settled = true;
    const onClosed = this.#host.onTunnelOpened(this.#member, this, tunnel);
    let open = true;
    return () => {
      if (open) onClosed();
      open = false;
    };
  }
}
