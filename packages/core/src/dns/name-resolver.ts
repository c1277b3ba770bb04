import { limits } from "../config/defaults.ts";
import { type Runtime, resolveRuntime } from "../runtime/runtime.ts";
import { machineSources, type NameSources } from "./host-lookup.ts";
import { LookupSlots } from "./lookup-slots.ts";
import { type NameContext, ResolvedName } from "./resolved-name.ts";

/** The addresses of upstreams that are given by name. One of these serves all pools of a proxy. */
export class NameResolver {
  readonly #context: NameContext;
  /** In the order of their last request. */
  readonly #names = new Map<string, ResolvedName>();

  constructor(runtime?: Partial<Runtime>, sources?: NameSources) {
    const resolved = resolveRuntime(runtime);
    this.#context = {
      runtime: resolved,
      sources: sources ?? machineSources(),
      slots: new LookupSlots(),
    };
  }

  /** The name, not looked up before it is used. Beyond `limits.dnsNames` the least recently requested one is forgotten. */
  name(hostname: string): ResolvedName {
    const key = hostname.toLowerCase();
    const name = this.#names.get(key) ?? new ResolvedName(key, this.#context);
    this.#names.delete(key);
    this.#names.set(key, name);
    if (this.#names.size > limits.dnsNames) this.#names.delete(this.#names.keys().next().value as string);
    return name;
  }

  /** Looks every name that is in use up again now. The known addresses stay in use meanwhile. */
  refresh(): void {
    for (const name of this.#names.values()) name.renew();
  }

  /** Ends the lookups in the background. A name that is used again begins anew. */
  stop(): void {
    for (const name of this.#names.values()) name.stop();
  }
}
