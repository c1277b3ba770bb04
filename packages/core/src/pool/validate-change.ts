import { limits } from "../config/defaults.ts";
import { parseDuration } from "../config/duration.ts";
import { type ConfigIssue, didYouMean, OptionsError, show } from "../config/issues.ts";
import type { Duration } from "../config/options.ts";
import type { UpstreamState } from "../events.ts";

/** A change of an upstream by an operator. */
export interface UpstreamChange {
  /** A whole number, 0 to 256. */
  readonly weight?: number;
  readonly state?: UpstreamState;
  /** Closes the tunnels of a draining or disabled upstream after this time. Default: no limit. */
  readonly timeout?: Duration;
}

const changeKeys: readonly string[] = ["weight", "state", "timeout"] satisfies readonly (keyof UpstreamChange)[];
const states: readonly unknown[] = ["active", "draining", "disabled"] satisfies readonly UpstreamState[];

/**
 * Returns every mistake in a change from outside the program, such as the body of a request. An empty array means that
 * `Pool.setWeight` and `Pool.setState` accept its values.
 */
export function checkUpstreamChange(change: object): readonly ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const keys = Object.keys(change);
  if (keys.length === 0) issues.push({ path: [], message: `expected at least one of ${changeKeys.join(", ")}` });
  for (const key of keys) {
    if (changeKeys.includes(key)) continue;
    issues.push({ path: [key], message: `unknown key${didYouMean(key, changeKeys)}`, at: "key" });
  }
  const { weight, state, timeout } = change as UpstreamChange;
  if (keys.includes("weight") && !isWeight(weight)) {
    const message = `expected a whole number from 0 to ${limits.maxWeight}, found ${show(weight)}`;
    issues.push({ path: ["weight"], message });
  }
  if (keys.includes("state") && !states.includes(state)) {
    const expected = states.map((word) => `"${word}"`).join(", ");
    issues.push({ path: ["state"], message: `expected one of ${expected}, found ${show(state)}` });
  }
  if (timeout !== undefined && (typeof timeout !== "string" || parseDuration(timeout) === undefined)) {
    issues.push({ path: ["timeout"], message: `expected a duration such as "30s", found ${show(timeout)}` });
  } else if (timeout !== undefined && state !== "draining" && state !== "disabled") {
    issues.push({ path: ["timeout"], message: "a timeout goes with the states draining and disabled" });
  }
  return issues;
}

/** Throws an `OptionsError` for an invalid change. */
export function assertUpstreamChange(change: UpstreamChange): void {
  const issues = checkUpstreamChange(change);
  if (issues.length > 0) throw new OptionsError(issues);
}

/** Throws an `OptionsError` for an id that is in use, or a pool that is at its limit. */
export function checkNewUpstream(id: string, members: readonly { readonly id: string }[]): void {
  if (members.some((member) => member.id === id)) {
    throw new OptionsError([{ path: ["id"], message: `the id "${id}" is already used in this pool` }]);
  }
  if (members.length >= limits.upstreamsPerPool) {
    throw new OptionsError([{ path: [], message: `a pool has at most ${limits.upstreamsPerPool} upstreams` }]);
  }
}

function isWeight(weight: unknown): boolean {
  return Number.isInteger(weight) && (weight as number) >= 0 && (weight as number) <= limits.maxWeight;
}
