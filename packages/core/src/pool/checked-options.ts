import type { PoolOptions } from "../config/options.ts";
import { resolvePool } from "../config/resolve.ts";
import type { ResolvedPool } from "../config/resolved.ts";

/** Marks options that need no second check. */
export class CheckedOptions {
  readonly resolved: ResolvedPool;

  constructor(resolved: ResolvedPool) {
    this.resolved = resolved;
  }
}

/** Throws an `OptionsError` for options that do not check out. */
export function toResolved(options: PoolOptions | CheckedOptions): ResolvedPool {
  return options instanceof CheckedOptions ? options.resolved : resolvePool(options);
}
