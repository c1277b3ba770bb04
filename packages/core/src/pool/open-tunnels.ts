import { limits } from "../config/defaults.ts";
import type { TunnelEnd } from "../config/options.ts";
import type { Timer } from "../runtime/clock.ts";
import type { PoolContext } from "./pool-context.ts";
import type { Member } from "./upstream.ts";

/** A tunnel as its pool sees it. */
export interface OpenTunnel {
  /** The first time it is closed with WebSocket close 1001, the second time cut. */
  destroy(): void;
}

/**
 * The open tunnels of a pool's upstreams, and what ends them: the deadline of a drain, the pool's `closeTunnelsWhen`, or an
 * upstream that is unhealthy and that the operator has disabled or removed as well.
 */
export class OpenTunnels {
  readonly #context: PoolContext;
  readonly #open = new Map<Member, Set<OpenTunnel>>();
  readonly #deadlines = new Map<Member, Timer>();
  /** Tunnels that have been told to close. */
  readonly #ending = new WeakSet<OpenTunnel>();

  constructor(context: PoolContext) {
    this.#context = context;
  }

  /** Returns what is to be called when the tunnel has closed. */
  opened(member: Member, tunnel: OpenTunnel): () => void {
    const tunnels = this.#open.get(member) ?? new Set();
    this.#open.set(member, tunnels.add(tunnel));
    // Its handshake has taken longer than the upstream had left. The head of its 101 goes first.
    if (this.#isOut(member)) queueMicrotask(() => this.#end(member));
    return () => {
      if (tunnels.delete(tunnel) && tunnels.size === 0) this.#open.delete(member);
    };
  }

  /** An operator has set the member's state. `timeoutMs` is how long tunnels may go on; undefined is as long as they like. */
  stateSet(member: Member, timeoutMs: number | undefined): void {
    this.forget(member);
    member.drained = false;
    if (this.#isOut(member)) this.#end(member);
    else if (timeoutMs !== undefined) this.#endAfter(member, timeoutMs);
  }

  /** Probes have found the member unhealthy. */
  foundUnhealthy(member: Member): void {
    if (this.#endsWhen("unhealthy") || this.#isOut(member)) this.#end(member);
  }

  /** The member has left the pool. */
  removed(member: Member): void {
    if (this.#isOut(member)) this.#end(member);
  }

  /** The pool is closed. */
  close(): void {
    for (const member of this.#deadlines.keys()) this.forget(member);
  }

  /** No deadline holds for the member any more. */
  forget(member: Member): void {
    const timer = this.#deadlines.get(member);
    if (timer === undefined) return;
    this.#context.runtime.clock.clearTimeout(timer);
    this.#deadlines.delete(member);
  }

  #endsWhen(reason: TunnelEnd): boolean {
    return this.#context.options.closeTunnelsWhen.has(reason);
  }

  #isOut(member: Member): boolean {
    const { removed, drained, state } = member;
    const disabled = state === "disabled";
    const dead = member.health === "unhealthy" && (removed || disabled);
    return drained || dead || (disabled && this.#endsWhen("disabled")) || (removed && this.#endsWhen("removed"));
  }

  #endAfter(member: Member, timeoutMs: number): void {
    const timer = this.#context.runtime.clock.setTimeout(() => {
      this.#deadlines.delete(member);
      member.drained = true;
      this.#end(member);
      this.#context.changed();
    }, timeoutMs);
    this.#deadlines.set(member, timer);
  }

  #end(member: Member): void {
    const ended = [...(this.#open.get(member) ?? [])].filter((tunnel) => !this.#ending.has(tunnel));
    if (ended.length === 0) return;
    for (const tunnel of ended) {
      this.#ending.add(tunnel);
      tunnel.destroy();
    }
    this.#context.runtime.clock.setTimeout(() => {
      const left = this.#open.get(member);
      for (const tunnel of ended) if (left?.has(tunnel)) tunnel.destroy();
    }, limits.closeGraceMs);
  }
}
