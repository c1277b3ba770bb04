import { type AffinityOutcome, affinityOutcome, boundStanding } from "../attempts/session-affinity.ts";
import type { RoutedRequest } from "../request/routed-request.ts";
import type { StickyExplanation } from "./explanation.ts";

/** Explains the session affinity of a request. Null for a pool without sticky sessions. */
export function explainSticky({ route, head }: RoutedRequest): StickyExplanation | null {
  const { sticky, pool } = route;
  if (sticky === undefined) return null;
  const { cookie, onMissing } = sticky.options;
  const binding = sticky.read(head.passed);
  if (binding === undefined) {
    const because = `the request has no cookie ${cookie}: the upstream that responds binds the client`;
    return { cookie, upstream: null, standing: null, outcome: "unbound", because };
  }
  const bound = binding === "unknown" ? undefined : binding;
  const standing = boundStanding(bound, pool);
  const outcome = affinityOutcome(standing, pool.queue.hasRoom, onMissing === "fail");
  return { cookie, upstream: bound?.id ?? null, standing, outcome, because: sentences[outcome](bound?.id) };
}

const sentences: Readonly<Record<AffinityOutcome, (bound: string | undefined) => string>> = {
  kept: (bound) => `the client is bound to ${bound}, so the policy does not pick`,
  waits: (bound) => `${subject(bound)} is not available yet: the client waits for it`,
  temporary: (bound) =>
    `${subject(bound)} is not available yet, and the queue is full: another upstream serves this request`,
  rebound: (bound) =>
    `${subject(bound)} is not available: another upstream serves the client, which is bound to it from then on`,
  refused: (bound) => `${subject(bound)} is not available, and no other upstream may serve the client`,
};

function subject(bound: string | undefined): string {
  return bound ?? "the upstream of the cookie";
}
