/**
 * Reads the key of a request for hashing policies, byte for byte: nothing is decoded, trimmed or joined, so that every instance
 * reads the same key. The first of several headers, cookies or parameters counts. A request without one, or with an empty one,
 * has no key. Only the size of a request's head limits a key; the policy "hash" limits how much of it counts.
 */

import type { HashKey } from "../config/options.ts";
import type { ResolvedPool } from "../config/resolved.ts";
import { cookieValues } from "../http1/cookies.ts";
import type { ClientFacts } from "./forwarded-headers.ts";
import type { RequestHeadIn } from "./request-head.ts";
import type { Target } from "./request-target.ts";

/** The parts of a request that a key can come from. */
export interface KeySource {
  readonly head: Pick<RequestHeadIn, "host" | "passed" | "forwarded">;
  readonly facts: Pick<ClientFacts, "client" | "trusted">;
  readonly target: Target;
}

/** Reads a request's key; undefined when it has none. */
export type KeyReader = (request: KeySource) => string | undefined;

/** Undefined for a pool whose policy uses no key. "hash" uses one, and a policy of the user's own may. */
export function keyReaderOf({ balance, hashOn }: ResolvedPool): KeyReader | undefined {
  if (typeof balance === "string" && balance !== "hash") return undefined;
  const read = readerFor(hashOn);
  return (request) => read(request) || undefined;
}

function readerFor(hashOn: HashKey): KeyReader {
  if (hashOn === "client-ip") return ({ facts }) => facts.client;
  if (hashOn === "path") return ({ target }) => target.path;
  const colon = hashOn.indexOf(":");
  const name = hashOn.slice(colon + 1);
  const kind = hashOn.slice(0, colon);
  if (kind === "cookie") return ({ head }) => cookieValues(head.passed, name, 1)[0];
  if (kind === "query") return ({ target }) => firstParameter(target.query, name);
  return headerReader(name.toLowerCase());
}

/** A header that the proxy sets itself is read only from a trusted peer. */
function headerReader(lower: string): KeyReader {
  if (lower === "host") return ({ head }) => head.host;
  return ({ head, facts }) => {
    const { passed } = head;
    for (let index = 0; index < passed.length; index += 2) {
      const name = passed[index] as string;
      if (name.length === lower.length && name.toLowerCase() === lower) return passed[index + 1];
    }
    return facts.trusted ? head.forwarded.get(lower) : undefined;
  };
}

/** `query` begins with its question mark. Names are case-sensitive and not decoded. */
function firstParameter(query: string, name: string): string | undefined {
  for (let start = 1; start < query.length; ) {
    const ampersand = query.indexOf("&", start);
    const end = ampersand === -1 ? query.length : ampersand;
    const equals = start + name.length;
    if (query[equals] === "=" && equals < end && query.startsWith(name, start)) return query.slice(equals + 1, end);
    start = end + 1;
  }
  return undefined;
}
