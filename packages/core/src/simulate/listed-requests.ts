/**
 * Validates the listed requests of a trace in chunks: the first mistakes of ten million requests are reported before the last
 * ones are read, and the copies that validation makes stay small.
 */

import { checkAgainst } from "../config/check.ts";
import { limits } from "../config/defaults.ts";
import type { ConfigIssue } from "../config/issues.ts";
import type { TracedRequest } from "./trace/trace.ts";
import { requestsSchema } from "./trace/trace-schema.ts";

/** Returns the trace with only the first chunk of its listed requests. */
export function withFirstChunk(trace: unknown): unknown {
  const requests = listIn(trace);
  return requests === undefined ? trace : { ...(trace as object), requests: chunkOf(requests, 0) };
}

/** The number of listed requests; undefined when the trace lists none. */
export function countListed(trace: unknown): number | undefined {
  return listIn(trace)?.length;
}

/** Passes each request to `onRequest`. Stops at the first chunk with mistakes, and returns them. */
export function readListedRequests(
  requests: readonly TracedRequest[],
  onRequest: (request: TracedRequest) => void,
): readonly ConfigIssue[] {
  for (let from = 0; from < requests.length; from += limits.requestsCheckedAtOnce) {
    const { issues, data = [] } = checkAgainst(requestsSchema, chunkOf(requests, from));
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

function chunkOf(requests: readonly TracedRequest[], from: number): readonly TracedRequest[] {
  return requests.slice(from, from + limits.requestsCheckedAtOnce);
}
