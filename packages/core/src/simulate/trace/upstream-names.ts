import { didYouMean } from "../../config/issues.ts";
import type { ResolvedOptions } from "../../config/resolved.ts";
import type { UpstreamName } from "./resolved-trace.ts";
import type { ScriptStep } from "./trace.ts";

/** Resolves the names of upstreams in a trace: the upstreams of the options, and those that a script adds. */
export class UpstreamNames {
  readonly #pools: readonly string[];
  readonly #names: UpstreamName[] = [];

  constructor(options: ResolvedOptions, script: readonly ScriptStep[]) {
    this.#pools = [...options.pools.keys()];
    for (const [pool, { upstreams }] of options.pools) for (const { id } of upstreams) this.#names.push({ pool, id });
    for (const { upstream, join } of script) {
      if (upstream === undefined || join === undefined) continue;
      const name = this.#nameOfJoining(upstream);
      if (name !== undefined && this.#match(qualifiedName(name)).length === 0) this.#names.push(name);
    }
  }

  /** Finds an upstream by its id or its "pool/id". Undefined when `errorOf` returns an error. */
  find(text: string): UpstreamName | undefined {
    const [name, ...others] = this.#match(text);
    return others.length === 0 ? name : undefined;
  }

  /** The error message for a name that identifies no upstream, or several. */
  errorOf(text: string): string | undefined {
    const found = this.#match(text);
    if (found.length === 1) return undefined;
    if (found.length > 1)
      return `several pools have an upstream "${text}"; use one of ${found.map(qualifiedName).join(", ")}`;
    const known = this.#names.map((name) => (this.#pools.length === 1 ? name.id : qualifiedName(name)));
    return `no pool has an upstream "${text}"${didYouMean(text, known)}`;
  }

  #match(text: string): UpstreamName[] {
    return this.#names.filter((name) => qualifiedName(name) === text || name.id === text);
  }

  /** The pool in the name, or the only pool. */
  #nameOfJoining(text: string): UpstreamName | undefined {
    const slash = text.indexOf("/");
    const pool = slash < 0 ? this.#pools[0] : text.slice(0, slash);
    if (pool === undefined || !this.#pools.includes(pool) || (slash < 0 && this.#pools.length > 1)) return undefined;
    return { pool, id: text.slice(slash + 1) };
  }
}

/** "pool/id". */
export function qualifiedName({ pool, id }: UpstreamName): string {
  return `${pool}/${id}`;
}
