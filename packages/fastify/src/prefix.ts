import type { FastifyInstance } from "fastify";

/** What decides for fastify's router whether a path lies under a prefix. */
interface RouterOptions {
  readonly caseSensitive: boolean;
  readonly ignoreDuplicateSlashes: boolean;
  readonly useSemicolonDelimiter: boolean;
}

const defaults: RouterOptions = { caseSensitive: true, ignoreDuplicateSlashes: false, useSemicolonDelimiter: false };

/** The options that an app's router has been made with, at the top level of fastify's or in its `routerOptions`. */
export function routerOptionsOf({ initialConfig }: FastifyInstance): RouterOptions {
  const inner: Partial<RouterOptions> = initialConfig.routerOptions ?? {};
  const outer: Partial<RouterOptions> = initialConfig;
  return {
    caseSensitive: (inner.caseSensitive ?? true) && (outer.caseSensitive ?? true),
    ignoreDuplicateSlashes: inner.ignoreDuplicateSlashes === true || outer.ignoreDuplicateSlashes === true,
    useSemicolonDelimiter: inner.useSemicolonDelimiter === true || outer.useSemicolonDelimiter === true,
  };
}

/** A request target without the prefix. */
interface SplitTarget {
  readonly mountPath: string;
  readonly rest: string;
  /** `rest` begins with a slash that the client did not send. */
  readonly slashAdded: boolean;
}

/**
 * A prefix as fastify mounts it. It may have parameters ("/:tenant/api"), so what a request's path has of it is found by
 * counting segments, and taken as it came: the rest goes on byte for byte.
 */
export class Prefix {
  readonly #segments: readonly string[];
  readonly #router: RouterOptions;

  constructor(prefix: string, router: RouterOptions = defaults) {
    this.#segments = prefix.split("/").filter((segment) => segment !== "");
    this.#router = router;
  }

  /** Whether fastify's router finds a request target under the prefix. */
  covers(url: string): boolean {
    const { mountPath } = this.split(url);
    const found = mountPath.split("/").slice(1);
    return (
      found.length === this.#segments.length &&
      this.#segments.every((segment, index) => this.#matches(segment, found[index] as string))
    );
  }

  /** Takes the prefix off a request target that lies under it. */
  split(url: string): SplitTarget {
    // An absolute-form target keeps its authority: the proxy holds it against the Host header.
    const start = /^https?:\/\/[^/?#]*/i.exec(url)?.[0].length ?? 0;
    const mark = url.slice(start).search(this.#router.useSemicolonDelimiter ? /[?#;]/ : /[?#]/);
    const pathEnd = mark === -1 ? url.length : start + mark;
    let end = start;
    let mountPath = "";
    for (let left = this.#segments.length; left > 0 && end < pathEnd; left--) {
      let begin = end;
      while (this.#router.ignoreDuplicateSlashes && url[begin + 1] === "/") begin++;
      const slash = url.indexOf("/", begin + 1);
      end = slash === -1 || slash > pathEnd ? pathEnd : slash;
      mountPath += url.slice(begin, end);
    }
    const rest = url.slice(end);
    // What has lost nothing is not made into a path: `*` and the like are for the proxy to judge.
    const isWhole = rest.startsWith("/") || (mountPath === "" && start === 0);
    const slashAdded = !isWhole && mountPath !== "";
    return { mountPath, rest: url.slice(0, start) + (isWhole ? rest : `/${rest}`), slashAdded };
  }

  #matches(segment: string, found: string): boolean {
    if (segment.includes(":")) return found !== "";
    const decoded = decode(found);
    return this.#router.caseSensitive ? decoded === segment : decoded.toLowerCase() === segment.toLowerCase();
  }
}

/** The router compares static parts of a path decoded. What cannot be decoded, it does not route. */
function decode(segment: string): string {
  if (!segment.includes("%")) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
