import type { Member, Upstream } from "../upstream.ts";

/** The lists of members that may be picked, computed anew after every change. */
export interface Availability {
  /** All members that may be picked now. */
  readonly available: readonly Member[];
  /**
   * The members that a policy picks from: available primaries, or else available backups, or in panic any usable member. A new
   * list after every change of a weight.
   */
  readonly candidates: readonly Member[];
  /** The members for a request that has tried all candidates. */
  readonly fallback: readonly Member[];
  /**
   * The same members as `candidates` in an array that is not frozen. Picks iterate over it, since V8 takes about five times as
   * long for a frozen one.
   */
  readonly unfrozenCandidates: readonly Member[];
  /** The unhealthy or ejected members that panic uses, including full ones. */
  readonly panicMembers: readonly Member[];
  /** No member is available, and the candidates are unhealthy or ejected. */
  readonly panic: boolean;
  /** There is no candidate because all usable members are full or not discovered yet: waiting helps. */
  readonly saturated: boolean;
  /** A new request gets a response from an upstream, at once, in panic, or after waiting for room. */
  readonly serving: boolean;
}

/**
 * Primaries come first, backups only when no primary is available, and so on through the tiers. Panic, if allowed, uses every
 * member that is not draining, disabled or held (YARP's HealthyOrPanic). Full upstreams never cause panic, since they free up.
 * In panic a half-open upstream may get more than one request at a time. A weight of 0 takes no new clients. While the first
 * lookup is pending, requests wait for its result instead of panic.
 */
export function computeAvailability(
  members: readonly Member[],
  panicAllowed: boolean,
  lookupPending: boolean,
): Availability {
  const available = members.filter((member) => member.available);
  const candidates = firstTier(available);
  if (candidates.length > 0)
    return publish({
      available,
      fallback: available,
      candidates,
      panicMembers: [],
      panic: false,
      saturated: false,
      serving: true,
    });

  const usable = usableMembers(members, panicAllowed);
  const panicMembers = lookupPending ? [] : usable.filter((member) => member.unhealthyOrEjected);
  const fallback = panicMembers.filter((member) => !member.atLimit);
  const panic = fallback.length > 0;
  const saturated = lookupPending || (usable.length > 0 && !panic);
  // While the first lookup is pending there is no panic. A half-open upstream takes its next request soon.
  const serving =
    panicMembers.length > 0 || usable.some((member) => !member.unhealthyOrEjected) || members.some(isHalfOpen);
  return publish({ available, fallback, candidates: firstTier(fallback), panicMembers, panic, saturated, serving });
}

/** The untried candidates, or, when there are none, the untried members of `fallback`, backups included. */
export function candidatesExcept(
  { candidates, fallback, unfrozenCandidates }: Availability,
  tried: readonly Upstream[],
): readonly Upstream[] {
  if (tried.length === 0) return unfrozenCandidates;
  const isUntried = (upstream: Upstream) => upstream.weight > 0 && !tried.includes(upstream);
  const left = candidates.filter(isUntried);
  return left.length > 0 ? left : fallback.filter(isUntried);
}

/**
 * The members for a request that could connect to no available one: the half-open, ejected and unhealthy members that it has
 * not tried and that have room. Draining, disabled and held members are never included.
 */
export function lastResort(
  members: readonly Member[],
  tried: readonly Upstream[],
  panicAllowed: boolean,
): readonly Member[] {
  if (!panicAllowed) return [];
  return firstTier(
    members.filter(
      (member) => isActive(member) && member.unhealthyOrEjected && !member.atLimit && !tried.includes(member),
    ),
  );
}

/** Whether an untried usable member is only full: waiting helps. */
export function mayFreeUp(members: readonly Member[], tried: readonly Upstream[], panicAllowed: boolean): boolean {
  return usableMembers(members, panicAllowed).some((member) => member.atLimit && !tried.includes(member));
}

/** The members that may be used if they have room: those neither unhealthy nor ejected, or, in panic, all active ones. */
export function usableMembers(members: readonly Member[], panicAllowed: boolean): readonly Member[] {
  const active = members.filter(isActive);
  const good = active.filter((member) => !member.unhealthyOrEjected);
  return good.length > 0 || !panicAllowed ? good : active;
}

function isActive({ state, weight, held }: Member): boolean {
  return state === "active" && weight > 0 && !held;
}

/** Half-open, and unavailable at most because its trial request is in flight. */
function isHalfOpen(member: Member): boolean {
  return member.onTrial && isActive(member) && member.health !== "unhealthy" && !member.removed;
}

/** Whether a member can serve a client that is bound to it: now, later, or not at all. */
export type Standing = "ready" | "later" | "gone";

/**
 * A bound client keeps a member that drains or has weight 0, and waits for one that is full or held. In panic it stays with its
 * member, since the others are no better.
 */
export function standingOf(member: Member, { panicMembers, candidates }: Availability): Standing {
  const betterTier = candidates.some(({ tier }) => tier < member.tier);
  if (panicMembers.includes(member) && !betterTier) return member.atLimit ? "later" : "ready";
  const mayTakeTrial = member.onTrial && !member.full && member.health !== "unhealthy";
  if (member.removed || member.drained || member.state === "disabled" || (member.unhealthyOrEjected && !mayTakeTrial))
    return "gone";
  return member.full || member.held ? "later" : "ready";
}

function firstTier(members: readonly Member[]): Member[] {
  const eligible = members.filter((member) => member.weight > 0);
  let lowest = Infinity;
  for (const { tier } of eligible) lowest = Math.min(lowest, tier);
  return eligible.filter(({ tier }) => tier === lowest);
}

/** Returns the lists after a change of a weight with a new array of candidates, since policies cache by array. */
export function withNewCandidates(lists: Availability): Availability {
  return publish({ ...lists, candidates: [...lists.candidates] });
}

function publish(lists: Omit<Availability, "unfrozenCandidates">): Availability {
  const unfrozenCandidates = [...lists.candidates];
  Object.freeze(lists.available);
  Object.freeze(lists.candidates);
  return Object.freeze({ ...lists, unfrozenCandidates });
}
