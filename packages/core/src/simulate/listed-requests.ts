/**
 * The requests that a trace lists, checked a stretch at a time: of ten million the first mistakes are told before the
 * last have been looked at, and the copies that a check makes are never those of all of them.
 */

import { checkAgainst } from "../config/check.ts";
import { limits } from "../config/defaults.ts";
import type { ConfigIssue } from "../config/issues.ts";
import type { TracedRequest } from "./trace/trace.ts";
import { requestsSchema } from "./trace/trace-schema.ts";

/** The same trace with the first stretch alone, if it lists more than that. */
export function firstStretch(trace: unknown): unknown {
  const requests = listIn(trace);
  return requests === undefined ? trace : { ...(trace as object), requests: stretchOf(requests, 0) };
}

/** How many are listed; undefined when none are. */
export function numberListed(trace: unknown): number | undefined {
  return listIn(trace)?.length;
}

/** Gives each request to `onRequest`, until there are mistakes: those of one stretch are returned. */
export function readListed(
  requests: readonly TracedRequest[],
  onRequest: (request: TracedRequest) => void,
): readonly ConfigIssue[] {
  for (let from = 0; from < requests.length; from += limits.requestsCheckedAtOnce) {
    const { issues, data = [] } = checkAgainst(requestsSchema, stretchOf(requests, from));
    if (issues.length > 0)
      return issues.map(({ path: [index, ...rest], ...issue }) => ({
        ...issue,
        path: ["requests", from + Number(index), ...rest],
      }));
    data.forEach(onRequest);
  }
  return [];
}

function listIn(trace: unknown): readonly TracedRequest[] | undefined {
  const requests = typeof trace === "object" && trace !== null && "requests" in trace ? trace.requests : undefined;
  return Array.isArray(requests) ? requests : undefined;
}

function stretchOf(requests: readonly TracedRequest[], from: number): readonly TracedRequest[] {
  return requests.slice(from, from + limits.requestsCheckedAtOnce);
}
