import type { Member, Upstream } from "../upstream.ts";

/** Which members may be picked, worked out anew whenever one of them changes. */
export interface Availability {
  /** Every member that may be picked now. */
  readonly available: readonly Member[];
  /**
   * What a policy chooses from: available primaries, or else available backups, or in panic whatever is left. Another
   * list whenever one of their weights has changed.
   */
  readonly candidates: readonly Member[];
  /** What is left to a request that has tried all candidates. */
  readonly fallback: readonly Member[];
  /**
   * The same as `candidates`, as a list that is not frozen, to be walked at each pick: V8 takes some five times as long
   * over a frozen one.
   */
  readonly walkable: readonly Member[];
  /** The doubtful ones that panic takes, those that are full included. */
  readonly desperate: readonly Member[];
  /** Nothing is available, and the candidates are doubtful. */
  readonly panic: boolean;
  /** There is no candidate only because everything that could be one is full, or not here yet: waiting helps. */
  readonly saturated: boolean;
  /** A new request gets a response from an upstream, at once, in panic, or after waiting for room. */
  readonly serving: boolean;
}

/**
 * Primaries first, backups only when no primary is available, and so on through the tiers. Panic, when it is allowed, takes
 * whatever is neither draining nor disabled nor held back until its first check (YARP's HealthyOrPanic), but never on account
 * of full upstreams: those free up by themselves. A trial's one request at a time is for pools with others to serve, and does
 * not hold in panic. A weight of 0 takes no new clients. While more members are expected, waiting for them comes before panic.
 */
export function computeAvailability(
  members: readonly Member[],
  panicAllowed: boolean,
  expectsMore: boolean,
): Availability {
  const available = members.filter((member) => member.available);
  const candidates = firstTier(available);
  if (candidates.length > 0)
    return publish({
      available,
      fallback: available,
      candidates,
      desperate: [],
      panic: false,
      saturated: false,
      serving: true,
    });

  const usable = usableAmong(members, panicAllowed);
  const desperate = expectsMore ? [] : usable.filter((member) => member.doubtful);
  const fallback = desperate.filter((member) => !member.atLimit);
  const panic = fallback.length > 0;
  const saturated = expectsMore || (usable.length > 0 && !panic);
  // While the first lookup is awaited, doubtful upstreams wait for its result. One on trial takes its next request soon.
  const serving = desperate.length > 0 || usable.some((member) => !member.doubtful) || members.some(takesTrials);
  return publish({ available, fallback, candidates: firstTier(fallback), desperate, panic, saturated, serving });
}

/** The candidates that were not tried yet; when they have run out, whatever else may be used, backups included. */
export function untried(
  { candidates, fallback, walkable }: Availability,
  tried: readonly Upstream[],
): readonly Upstream[] {
  if (tried.length === 0) return walkable;
  const isUntried = (upstream: Upstream) => upstream.weight > 0 && !tried.includes(upstream);
  const left = candidates.filter(isUntried);
  return left.length > 0 ? left : fallback.filter(isUntried);
}

/**
 * What is left to a request that could connect to no available upstream: the half-open, ejected and unhealthy ones that
 * it has not tried and that have room. Draining, disabled and held ones are never among them.
 */
export function lastResort(
  members: readonly Member[],
  tried: readonly Upstream[],
  panicAllowed: boolean,
): readonly Member[] {
  if (!panicAllowed) return [];
  return firstTier(
    members.filter((member) => isActive(member) && member.doubtful && !member.atLimit && !tried.includes(member)),
  );
}

/** Whether somebody who was not tried yet would do, and is only full: waiting helps. */
export function mayFreeUp(members: readonly Member[], tried: readonly Upstream[], panicAllowed: boolean): boolean {
  return usableAmong(members, panicAllowed).some((member) => member.atLimit && !tried.includes(member));
}

/** Those that would do if they had room: whoever nothing speaks against, or when there is nobody, in panic all. */
export function usableAmong(members: readonly Member[], panicAllowed: boolean): readonly Member[] {
  const active = members.filter(isActive);
  const well = active.filter((member) => !member.doubtful);
  return well.length > 0 || !panicAllowed ? well : active;
}

function isActive({ state, weight, held }: Member): boolean {
  return state === "active" && weight > 0 && !held;
}

/** Whether an upstream takes one request at a time, and is not available only because that request is in flight. */
function takesTrials(member: Member): boolean {
  return member.onTrial && isActive(member) && member.health !== "unhealthy" && !member.removed;
}

/** What can be had of a member by a client that is bound to it: an answer now, an answer later, or none. */
export type Standing = "ready" | "later" | "gone";

/**
 * A bound client keeps a member that drains or has no weight, and waits for one that is full or has not been checked
 * yet. In panic it stays where it is: all are as doubtful.
 */
export function standingOf(member: Member, { desperate, candidates }: Availability): Standing {
  const worse = candidates.some(({ tier }) => tier < member.tier);
  if (desperate.includes(member) && !worse) return member.atLimit ? "later" : "ready";
  const onFreeTrial = member.onTrial && !member.full && member.health !== "unhealthy";
  if (member.removed || member.drained || member.state === "disabled" || (member.doubtful && !onFreeTrial))
    return "gone";
  return member.full || member.held ? "later" : "ready";
}

function firstTier(members: readonly Member[]): Member[] {
  const eligible = members.filter((member) => member.weight > 0);
  let lowest = Infinity;
  for (const { tier } of eligible) lowest = Math.min(lowest, tier);
  return eligible.filter(({ tier }) => tier === lowest);
}

/** The same lists after a weight has changed: policies keep what they have made of a list, so they get another one. */
export function reweighed(lists: Availability): Availability {
  return publish({ ...lists, candidates: [...lists.candidates] });
}

function publish(lists: Omit<Availability, "walkable">): Availability {
  const walkable = [...lists.candidates];
  Object.freeze(lists.available);
  Object.freeze(lists.candidates);
  return Object.freeze({ ...lists, walkable });
}
