import { freezeDeep } from "../runtime/freeze-deep.ts";
import type { Explanation, PoolExplanation } from "./explanation.ts";

/** How one worker of a group would handle a request. */
export interface WorkerExplanation {
  readonly worker: number;
  readonly explanation: Explanation;
}

/**
 * Merges the explanations of the workers of a group for the same request, in the order of their numbers.
 *
 * Workers agree if they refuse or route the request alike, and have the same candidates for the same reasons. Numbers of
 * requests in flight and chances always differ, and are not compared. The result explains what most workers do.
 */
export function mergeExplanations(all: readonly [WorkerExplanation, ...WorkerExplanation[]]): Explanation {
  const groups = new Map<string, WorkerExplanation[]>();
  for (const one of all) {
    const decision = decisionOf(one.explanation);
    const group = groups.get(decision);
    if (group === undefined) groups.set(decision, [one]);
    else group.push(one);
  }
  // The sort is stable: of groups of one size, that of the lowest number comes first.
  const [most = [], ...others] = [...groups.values()].sort((a, b) => b.length - a.length);
  const numbersOf = (group: readonly WorkerExplanation[]) => group.map(({ worker }) => worker);
  const explanationOf = ([first]: readonly WorkerExplanation[]) => (first ?? all[0]).explanation;
  return freezeDeep({
    ...explanationOf(most),
    workers: {
      agreeing: numbersOf(most),
      others: others.map((group) => ({ workers: numbersOf(group), explanation: explanationOf(group) })),
    },
  });
}

/** What would happen, without the numbers of the moment. */
function decisionOf({ refusal, route, pool }: Explanation): string {
  return JSON.stringify([refusal?.status, refusal?.code, route, pool && decisionOfPool(pool)]);
}

function decisionOfPool({ name, policy, next, panic, outage, sticky, upstreams }: PoolExplanation): unknown {
  return {
    pool: [name, policy, next, panic, outage !== null],
    sticky: sticky && [sticky.upstream, sticky.standing, sticky.outcome],
    upstreams: upstreams.map(({ id, candidate, weight, reasons }) => [
      id,
      candidate,
      weight,
      reasons.map(({ code, speaks }) => [code, speaks]),
    ]),
  };
}
