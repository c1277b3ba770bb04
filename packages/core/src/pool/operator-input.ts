import { limits } from "../config/defaults.ts";
import { OptionsError } from "../config/issues.ts";
import type { UpstreamState } from "../events.ts";

/** Throws an `OptionsError` for what is not a weight. */
export function checkWeight(weight: number): void {
  if (Number.isInteger(weight) && weight >= 0 && weight <= limits.maxWeight) return;
  const message = `expected a whole number from 0 to ${limits.maxWeight}, found ${String(weight)}`;
  throw new OptionsError([{ path: ["weight"], message }]);
}

/** Throws an `OptionsError` for what is not a state. */
export function checkState(state: UpstreamState): void {
  if (state === "active" || state === "draining" || state === "disabled") return;
  const message = `expected "active", "draining" or "disabled", found ${JSON.stringify(state)}`;
  throw new OptionsError([{ path: ["state"], message }]);
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
