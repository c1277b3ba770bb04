import { didYouMean } from "../../config/issues.ts";
import type { ResolvedOptions } from "../../config/resolved.ts";
import type { UpstreamPlace } from "./resolved-trace.ts";
import type { ScriptStep } from "./trace.ts";

/** Every upstream that a simulation may speak of: those of the options, and those that join. */
export class Places {
  readonly #pools: readonly string[];
  readonly #places: UpstreamPlace[] = [];

  constructor(options: ResolvedOptions, script: readonly ScriptStep[]) {
    this.#pools = [...options.pools.keys()];
    for (const [pool, { upstreams }] of options.pools) for (const { id } of upstreams) this.#places.push({ pool, id });
    for (const { upstream, join } of script) {
      if (upstream === undefined || join === undefined) continue;
      const place = this.#newPlace(upstream);
      if (place !== undefined && this.#match(nameOf(place)).length === 0) this.#places.push(place);
    }
  }

  /** The upstream of that name; undefined when `objectionTo` has something to say. */
  find(name: string): UpstreamPlace | undefined {
    const [place, ...others] = this.#match(name);
    return others.length === 0 ? place : undefined;
  }

  /** Why no upstream is meant by a name. */
  objectionTo(name: string): string | undefined {
    const found = this.#match(name);
    if (found.length === 1) return undefined;
    if (found.length > 1) return `several pools have an upstream "${name}"; say which: ${found.map(nameOf).join(", ")}`;
    const known = this.#places.map((place) => (this.#pools.length === 1 ? place.id : nameOf(place)));
    return `no pool has an upstream "${name}"${didYouMean(name, known)}`;
  }

  #match(name: string): UpstreamPlace[] {
    return this.#places.filter((place) => nameOf(place) === name || place.id === name);
  }

  /** Where one joins: in the pool that is named, or in the only one. */
  #newPlace(name: string): UpstreamPlace | undefined {
    const slash = name.indexOf("/");
    const pool = slash < 0 ? this.#pools[0] : name.slice(0, slash);
    if (pool === undefined || !this.#pools.includes(pool) || (slash < 0 && this.#pools.length > 1)) return undefined;
    return { pool, id: name.slice(slash + 1) };
  }
}

export function nameOf({ pool, id }: UpstreamPlace): string {
  return `${pool}/${id}`;
}
