import { limits } from "../config/defaults.ts";
import type { TunnelEnd } from "../config/options.ts";
import type { Timer } from "../runtime/clock.ts";
import type { PoolContext } from "./pool-context.ts";
import type { Member } from "./upstream.ts";

/** The pool's handle of a tunnel. */
export interface OpenTunnel {
  /** The first call closes it with WebSocket close 1001, the second one cuts it. */
  destroy(): void;
}

/**
 * The open tunnels of a pool's upstreams. They are closed by the timeout of a drain, by `closeTunnelsWhen`, and when an
 * unhealthy upstream is also disabled or removed.
 */
export class OpenTunnels {
  readonly #context: PoolContext;
  readonly #open = new Map<Member, Set<OpenTunnel>>();
  readonly #deadlines = new Map<Member, Timer>();
  /** Tunnels on which `destroy` was called once. */
  readonly #ending = new WeakSet<OpenTunnel>();

  constructor(context: PoolContext) {
    this.#context = context;
  }

  /** Returns the function to call when the tunnel has closed. */
  opened(member: Member, tunnel: OpenTunnel): () => void {
    const tunnels = this.#open.get(member) ?? new Set();
    this.#open.set(member, tunnels.add(tunnel));
    // The handshake has ended after the timeout. The 101 is written first.
    if (this.#mustClose(member)) queueMicrotask(() => this.#end(member));
    return () => {
      if (tunnels.delete(tunnel) && tunnels.size === 0) this.#open.delete(member);
    };
  }

  /** An operator has set the state. Tunnels are closed after `timeoutMs`; undefined is no limit. */
  stateSet(member: Member, timeoutMs: number | undefined): void {
    this.forget(member);
    member.drained = false;
    if (this.#mustClose(member)) this.#end(member);
    else if (timeoutMs !== undefined) this.#endAfter(member, timeoutMs);
  }

  foundUnhealthy(member: Member): void {
    if (this.#endsWhen("unhealthy") || this.#mustClose(member)) this.#end(member);
  }

  removed(member: Member): void {
    if (this.#mustClose(member)) this.#end(member);
  }

  /** Clears all timers. */
  close(): void {
    for (const member of this.#deadlines.keys()) this.forget(member);
  }

  /** Clears the timer of a member. */
  forget(member: Member): void {
    const timer = this.#deadlines.get(member);
    if (timer === undefined) return;
    this.#context.runtime.clock.clearTimeout(timer);
    this.#deadlines.delete(member);
  }

  #endsWhen(reason: TunnelEnd): boolean {
    return this.#context.options.closeTunnelsWhen.has(reason);
  }

  #mustClose(member: Member): boolean {
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
