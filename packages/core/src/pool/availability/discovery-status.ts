import type { DiscoverySnapshot } from "../../snapshot.ts";
import type { Members } from "../members.ts";
import type { PoolContext } from "../pool-context.ts";

/** The state of a pool's DNS lookups. Discovery writes it; the pool shows it in snapshots and emits its changes. */
export class DiscoveryStatus {
  readonly #context: PoolContext;
  readonly #members: Members;
  #state: DiscoverySnapshot | null = null;

  constructor(context: PoolContext, members: Members) {
    this.#context = context;
    this.#members = members;
  }

  /** Null without discovery. */
  get state(): DiscoverySnapshot | null {
    return this.#state;
  }

  /** The first lookup has not ended: requests wait for the upstreams that it may find. */
  get pending(): boolean {
    return this.#state?.status === "awaited";
  }

  record(state: Omit<DiscoverySnapshot, "since"> | null): void {
    const before = this.#state;
    const changed = state?.status !== before?.status;
    const since = before === null || changed ? this.#context.runtime.clock.wallNow() : before.since;
    this.#state = state && Object.freeze({ ...state, since });
    if (!changed) return;
    this.#context.changed();
    if (this.#state !== null && this.#state.status !== "awaited") this.#emit(this.#state);
  }

  #emit({ name, status, lastError }: DiscoverySnapshot): void {
    const members = this.#members.list.filter(({ discovered }) => discovered).length;
    const why = status === "failing" && lastError !== null ? { error: lastError.reason } : {};
    this.#context.emit("discovery", { pool: this.#context.name, name, ok: status === "ok", ...why, members });
  }
}
