import { type AffinityOutcome, affinityOutcome, boundStanding } from "../attempts/session-affinity.ts";
import type { RoutedRequest } from "../request/routed-request.ts";
import type { StickyExplanation } from "./explanation.ts";

/** To whom a request's cookie binds its client, and what comes of it; null when its pool keeps nobody. */
export function explainSticky({ route, head }: RoutedRequest): StickyExplanation | null {
  const { sticky, pool } = route;
  if (sticky === undefined) return null;
  const { cookie, onMissing } = sticky.options;
  const binding = sticky.read(head.passed);
  if (binding === undefined) {
    const because = `the request has no cookie ${cookie}: whoever answers binds the client`;
    return { cookie, upstream: null, standing: null, outcome: "unbound", because };
  }
  const own = binding === "unknown" ? undefined : binding;
  const standing = boundStanding(own, pool);
  const outcome = affinityOutcome(standing, pool.queue.hasRoom, onMissing === "fail");
  return { cookie, upstream: own?.id ?? null, standing, outcome, because: sentences[outcome](own?.id) };
}

const sentences: Readonly<Record<AffinityOutcome, (own: string | undefined) => string>> = {
  kept: (own) => `the client is bound to ${own}, whatever the policy`,
  waits: (own) => `${subject(own)} cannot be had yet: the client waits for it`,
  temporary: (own) => `${subject(own)} cannot be had yet, and nobody may wait: another serves the client this once`,
  rebound: (own) => `${subject(own)} cannot be had: another serves the client, which is bound to that from then on`,
  refused: (own) => `${subject(own)} cannot be had, and no other may serve the client`,
};

function subject(own: string | undefined): string {
  return own ?? "whoever the cookie means";
}
