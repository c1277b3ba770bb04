import type { UpstreamCondition } from "../../snapshot.ts";
import type { Member } from "../upstream.ts";

/**
 * What a member is, since when and why. Derived when a snapshot is taken, from what was recorded at transitions: a request
 * costs nothing for it. The order of the cases is that of `UpstreamStatus`.
 */
export function conditionOf(member: Member): UpstreamCondition {
  return Object.freeze(ofOperator(member) ?? ofTrouble(member) ?? ofService(member));
}

function ofOperator({ state, transitions }: Member): UpstreamCondition | undefined {
  return state === "active" ? undefined : { status: state, since: transitions.state, reason: "set by an operator" };
}

/** It gets no requests, or only trial requests. */
function ofTrouble(member: Member): UpstreamCondition | undefined {
  const { health, verdict, transitions, ejectedUntil: until, ejectedFor, ejectionCause, connectFailures } = member;
  if (health === "unhealthy") {
    const { reason = null, cause } = verdict ?? {};
    return { status: "unhealthy", since: transitions.health, reason, ...(cause !== undefined && { cause }) };
  }
  if (until !== undefined) {
    const why = { reason: ejectedFor ?? null, ...(ejectionCause !== undefined && { cause: ejectionCause }) };
    if (member.onTrial) return { status: "trial", since: transitions.trial, ...why };
    return { status: "ejected", since: transitions.ejected, ...why, until };
  }
  if (member.held) return { status: "checking", since: transitions.held, reason: "no verdict yet" };
  if (health === "unknown" && connectFailures !== undefined) {
    return { status: "failing", since: connectFailures.since, reason: connectFailures.code };
  }
  return undefined;
}

function ofService(member: Member): UpstreamCondition {
  const { health, verdict, transitions, inFlight, inFlightLimit } = member;
  if (member.full) return { status: "full", since: null, reason: `${inFlight} of ${inFlightLimit} in flight` };
  if (member.slowStart < 1) return { status: "warming", since: transitions.warming, reason: "slow start" };
  if (health === "healthy") return { status: "healthy", since: transitions.inService, reason: verdict?.reason ?? null };
  // A response ends connect failures without a record of its time, which is after the last of them.
  const since = Math.max(transitions.inService, member.lastConnectFailureAt);
  return { status: "unchecked", since, reason: null };
}
