import { limits } from "../config/defaults.ts";
import { parseDuration } from "../config/duration.ts";
import { OptionsError } from "../config/issues.ts";
import type { Duration } from "../config/options.ts";
import type { UpstreamState } from "../events.ts";

/** Throws an `OptionsError` for what is not a weight. */
export function checkWeight(weight: number): void {
  if (Number.isInteger(weight) && weight >= 0 && weight <= limits.maxWeight) return;
  const message = `expected a whole number from 0 to ${limits.maxWeight}, found ${String(weight)}`;
  throw new OptionsError([{ path: ["weight"], message }]);
}

/** Milliseconds that tunnels may go on; undefined is no limit. Throws an `OptionsError` for what is not a state or a timeout. */
export function checkState(state: UpstreamState, timeout: Duration | undefined): number | undefined {
  if (state !== "active" && state !== "draining" && state !== "disabled") {
    const message = `expected "active", "draining" or "disabled", found ${JSON.stringify(state)}`;
    throw new OptionsError([{ path: ["state"], message }]);
  }
  if (timeout === undefined) return undefined;
  const timeoutMs = typeof timeout === "string" ? parseDuration(timeout) : undefined;
  if (timeoutMs !== undefined && state !== "active") return timeoutMs;
  const message =
    state === "active"
      ? "a timeout goes with the states draining and disabled"
      : `expected a duration such as "30s", found ${JSON.stringify(timeout)}`;
  throw new OptionsError([{ path: ["timeout"], message }]);
}

/** Throws an `OptionsError` for an id that is taken, or one member too many. */
export function checkNewcomer(id: string, members: readonly { readonly id: string }[]): void {
  if (members.some((member) => member.id === id)) {
    throw new OptionsError([{ path: ["id"], message: `the id "${id}" is taken in this pool; give it another` }]);
  }
  if (members.length >= limits.upstreamsPerPool) {
    throw new OptionsError([{ path: [], message: `a pool has at most ${limits.upstreamsPerPool} upstreams` }]);
  }
}
