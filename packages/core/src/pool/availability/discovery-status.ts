import type { DiscoverySnapshot } from "../../snapshot.ts";
import type { Members } from "../members.ts";
import type { PoolContext } from "../pool-context.ts";

/** The state of the lookups of a pool's members. Discovery writes it, and the pool shows and emits it. */
export class LookupRecord {
  readonly #context: PoolContext;
  readonly #members: Members;
  #state: DiscoverySnapshot | null = null;

  constructor(context: PoolContext, members: Members) {
    this.#context = context;
    this.#members = members;
  }

  /** Null when nothing is looked up. */
  get state(): DiscoverySnapshot | null {
    return this.#state;
  }

  /** The first look-up has not ended yet: it is worth waiting for whom it finds. */
  get expectsMore(): boolean {
    return this.#state?.status === "awaited";
  }

  record(state: DiscoverySnapshot | null): void {
    const before = this.#state?.status;
    this.#state = state;
    if (state?.status === before) return;
    this.#context.changed();
    if (state !== null && state.status !== "awaited") this.#tell(state);
  }

  #tell({ name, status, lastError }: DiscoverySnapshot): void {
    const members = this.#members.list.filter(({ discovered }) => discovered).length;
    const why = status === "failing" && lastError !== null ? { error: lastError.reason } : {};
    this.#context.emit("discovery", { pool: this.#context.name, name, ok: status === "ok", ...why, members });
  }
}
