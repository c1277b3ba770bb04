import { limits } from "../config/defaults.ts";
import { type Runtime, resolveRuntime } from "../runtime/runtime.ts";
import { machineSources, type NameSources } from "./host-lookup.ts";
import { LookupSlots } from "./lookup-slots.ts";
import { type NameContext, ResolvedName } from "./resolved-name.ts";

/** Resolves the names of upstreams. All pools of a proxy share one resolver. */
export class NameResolver {
  readonly #context: NameContext;
  /** In the order of the last request. */
  readonly #names = new Map<string, ResolvedName>();

  constructor(runtime?: Partial<Runtime>, sources?: NameSources) {
    const resolved = resolveRuntime(runtime);
    this.#context = {
      runtime: resolved,
      sources: sources ?? machineSources(),
      slots: new LookupSlots(),
    };
  }

  /** Returns a name, which is looked up once it is used. Beyond `limits.dnsNames` the least recently requested one is dropped. */
  name(hostname: string): ResolvedName {
    const key = hostname.toLowerCase();
    const name = this.#names.get(key) ?? new ResolvedName(key, this.#context);
    this.#names.delete(key);
    this.#names.set(key, name);
    if (this.#names.size > limits.dnsNames) this.#names.delete(this.#names.keys().next().value as string);
    return name;
  }

  /** Starts a lookup of every name in use. The known addresses stay in use meanwhile. */
  refresh(): void {
    for (const name of this.#names.values()) name.renew();
  }

  /** Stops the lookups in the background. They begin again for a name that is used again. */
  stop(): void {
    for (const name of this.#names.values()) name.stop();
  }
}
