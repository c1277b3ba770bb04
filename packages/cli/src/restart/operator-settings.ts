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
    return pools.flatMap((pool) =>
      pool.upstreams.flatMap(({ id, url, weight, state }) => {
        const recorded = this.#weights.get(keyOf(pool.name, id));
        const inForce = recorded !== undefined && recorded.url === url && recorded.set === weight;
        if (!inForce && state === "active") return [];
        return {
          pool: pool.name,
          upstream: id,
          url,
          ...(inForce && { weight: { set: recorded.set, configured: recorded.configured } }),
          ...(state !== "active" && { state }),
        };
      }),
    );
  }

  /** Applies the settings of another process, as far as they fit the configuration. */
  async apply(intent: readonly OperatorIntent[]): Promise<void> {
    const snapshot = await this.#inner.snapshot();
    for (const { pool, upstream, url, weight, state } of intent) {
      const found = find(snapshot, pool, upstream);
      if (found === undefined || found.url !== url) continue;
      const change = {
        ...(weight !== undefined && weight.configured === found.weight && { weight: weight.set }),
        ...(state !== undefined && state !== found.state && { state }),
      };
      // It may have been removed since.
      if (Object.keys(change).length > 0) await this.#set(pool, upstream, change).catch(() => {});
    }
  }

  async #set(...[pool, id, change]: Parameters<AdminTarget["setUpstream"]>): Promise<void> {
    const before = find(await this.#inner.snapshot(), pool, id);
    await this.#inner.setUpstream(pool, id, change);
    if (before === undefined || change.weight === undefined) return;
    const { url, weight } = before;
    const key = keyOf(pool, id);
    const earlier = this.#weights.get(key);
    const continues = earlier !== undefined && earlier.url === url && earlier.set === weight;
    this.#weights.delete(key);
    this.#weights.set(key, { url, set: change.weight, configured: continues ? earlier.configured : weight });
    const [oldest] = this.#weights.keys();
    if (this.#weights.size > this.#maxWeights && oldest !== undefined) this.#weights.delete(oldest);
  }
}

function find({ pools }: ProxySnapshot, pool: string, id: string): UpstreamSnapshot | undefined {
  return pools.find(({ name }) => name === pool)?.upstreams.find((upstream) => upstream.id === id);
}

/** No name of a pool contains a slash. */
function keyOf(pool: string, id: string): string {
  return `${pool}/${id}`;
}
