import type { ResolvedOptions } from "../config/resolved.ts";
import { ManagedPool } from "../managed-pool.ts";
import { createRouting } from "../request/create-routing.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ModelRegistry } from "./model-registry.ts";
import { Router } from "./router.ts";

/** One of the proxies in front of the modelled upstreams: pools, policies and health checks that no other proxy shares. */
export class SimulatedProxy {
  readonly runtime: Runtime;
  readonly pools: ReadonlyMap<string, ManagedPool>;
  readonly router: Router;

  constructor(options: ResolvedOptions, runtime: Runtime, models: ModelRegistry) {
    const pools = new Map<string, ManagedPool>();
    for (const [name, pool] of options.pools) {
      const managed = new ManagedPool(name, pool, runtime, { probe: models.probe });
      models.attach(managed.pool);
      pools.set(name, managed);
    }
    this.runtime = runtime;
    this.pools = pools;
    this.router = new Router(createRouting(options, pools));
  }
}
