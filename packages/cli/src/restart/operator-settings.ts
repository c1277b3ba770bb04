import type { AdminTarget } from "@evenkeel/admin";
import type { ProxySnapshot, UpstreamSnapshot } from "evenkeel";
import { limits } from "../limits.ts";
import type { OperatorIntent } from "./protocol.ts";

interface OperatorWeight {
  readonly url: string;
  readonly set: number;
  /** The weight that it replaced. */
  readonly configured: number;
}

/** What an operator has set through a target, for the process that replaces this one. */
export class OperatorSettings {
  /** The target, with a record of its changes. */
  readonly target: AdminTarget;
  readonly #inner: AdminTarget;
  /** By pool and id, in the order in which they were set. Those that are not in force any more stay, up to `#maxWeights`. */
  readonly #weights = new Map<string, OperatorWeight>();
  readonly #maxWeights: number;
  /** The upstreams of the settings that were applied last. */
  #taken: readonly OperatorIntent[] = [];

  constructor(inner: AdminTarget, maxWeights: number = limits.operatorWeights) {
    this.#inner = inner;
    this.#maxWeights = maxWeights;
    // The methods of the inner target may depend on its `this`.
    this.target = Object.assign(Object.create(inner) as AdminTarget, {
      setUpstream: (...change: Parameters<AdminTarget["setUpstream"]>) => this.#set(...change),
    });
  }

  /** The settings in force. */
  async intent(): Promise<readonly OperatorIntent[]> {
    const { pools } = await this.#inner.snapshot();
    return pools.flatMap(({ name: pool, upstreams }) =>
      upstreams.flatMap((upstream) => {
        const { id, url, state } = upstream;
        const inForce = this.#inForce(pool, upstream);
        if (inForce === undefined && state === "active") return [];
        return {
          pool,
          upstream: id,
          url,
          ...(inForce && { weight: { set: inForce.set, configured: inForce.configured } }),
          ...(state !== "active" && { state }),
        };
      }),
    );
  }

  /**
   * Applies the settings of another process, as far as they fit the configuration. A second call replaces what the first one
   * has applied: also settings that are no longer among them.
   */
  async apply(intent: readonly OperatorIntent[]): Promise<void> {
    const snapshot = await this.#inner.snapshot();
    const named = new Set(intent.map(({ pool, upstream }) => keyOf(pool, upstream)));
    const ended = this.#taken.filter(({ pool, upstream }) => !named.has(keyOf(pool, upstream)));
    this.#taken = intent.map(({ pool, upstream, url }) => ({ pool, upstream, url }));
    for (const { pool, upstream, url, weight, state = "active" } of [...ended, ...intent]) {
      const found = find(snapshot, pool, upstream);
      if (found === undefined || found.url !== url) continue;
      const configured = this.#inForce(pool, found)?.configured ?? found.weight;
      const wanted = weight?.configured === configured ? weight.set : configured;
      const change = { ...(wanted !== found.weight && { weight: wanted }), ...(state !== found.state && { state }) };
      // It may have been removed since.
      if (Object.keys(change).length > 0) await this.#set(pool, upstream, change).catch(() => {});
    }
  }

  async #set(...[pool, id, change]: Parameters<AdminTarget["setUpstream"]>): Promise<void> {
    const before = find(await this.#inner.snapshot(), pool, id);
    await this.#inner.setUpstream(pool, id, change);
    if (before === undefined || change.weight === undefined) return;
    const { url, weight } = before;
    const configured = this.#inForce(pool, before)?.configured ?? weight;
    const key = keyOf(pool, id);
    this.#weights.delete(key);
    this.#weights.set(key, { url, set: change.weight, configured });
    const [oldest] = this.#weights.keys();
    if (this.#weights.size > this.#maxWeights && oldest !== undefined) this.#weights.delete(oldest);
  }

  /** The weight that an operator has set, unless it was replaced since. */
  #inForce(pool: string, { id, url, weight }: UpstreamSnapshot): OperatorWeight | undefined {
    const recorded = this.#weights.get(keyOf(pool, id));
    return recorded?.url === url && recorded.set === weight ? recorded : undefined;
  }
}

function find({ pools }: ProxySnapshot, pool: string, id: string): UpstreamSnapshot | undefined {
  return pools.find(({ name }) => name === pool)?.upstreams.find((upstream) => upstream.id === id);
}

/** No name of a pool contains a slash. */
function keyOf(pool: string, id: string): string {
  return `${pool}/${id}`;
}
