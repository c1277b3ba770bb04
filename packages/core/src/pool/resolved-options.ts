import type { PoolOptions } from "../config/options.ts";
import { resolvePool } from "../config/resolve.ts";
import type { ResolvedPool } from "../config/resolved.ts";
import type { Connector } from "../transport/connector.ts";

/** Options that are already validated, and the connector that the pools of a proxy share. */
export class ResolvedPoolOptions {
  readonly resolved: ResolvedPool;
  readonly connector: Connector | undefined;

  constructor(resolved: ResolvedPool, connector?: Connector) {
    this.resolved = resolved;
    this.connector = connector;
  }
}

/** Throws an `OptionsError` for invalid options. */
export function toResolved(options: PoolOptions | ResolvedPoolOptions): ResolvedPool {
  return options instanceof ResolvedPoolOptions ? options.resolved : resolvePool(options);
}
