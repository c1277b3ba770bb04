import type { PoolOptions } from "../config/options.ts";
import { resolvePool } from "../config/resolve.ts";
import type { ResolvedPool } from "../config/resolved.ts";
import type { Connector } from "../transport/connector.ts";

/** Options that need no second check, and the connector of the proxy that the pool belongs to. */
export class CheckedOptions {
  readonly resolved: ResolvedPool;
  readonly connector: Connector | undefined;

  constructor(resolved: ResolvedPool, connector?: Connector) {
    this.resolved = resolved;
    this.connector = connector;
  }
}

/** Throws an `OptionsError` for options that do not check out. */
export function toResolved(options: PoolOptions | CheckedOptions): ResolvedPool {
  return options instanceof CheckedOptions ? options.resolved : resolvePool(options);
}
