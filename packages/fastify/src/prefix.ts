import type { FastifyInstance } from "fastify";

/** The options of fastify's router that decide whether a path is under a prefix. */
interface RouterOptions {
  readonly caseSensitive: boolean;
  readonly ignoreDuplicateSlashes: boolean;
  readonly useSemicolonDelimiter: boolean;
}

const defaults: RouterOptions = { caseSensitive: true, ignoreDuplicateSlashes: false, useSemicolonDelimiter: false };

/** Returns the router options of an app, set at the top level of fastify's options or in `routerOptions`. */
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
 * A prefix as fastify mounts it. It may have parameters ("/:tenant/api"), so the mount path of a request is found by counting
 * segments. The rest is forwarded byte for byte.
 */
export class Prefix {
  readonly #segments: readonly string[];
  readonly #router: RouterOptions;

  constructor(prefix: string, router: RouterOptions = defaults) {
    this.#segments = prefix.split("/").filter((segment) => segment !== "");
    this.#router = router;
  }

  /** Whether fastify's router matches a request target to the prefix. */
  covers(url: string): boolean {
    const { mountPath } = this.split(url);
    const found = mountPath.split("/").slice(1);
    return (
      found.length === this.#segments.length &&
      this.#segments.every((segment, index) => this.#matches(segment, found[index] as string))
    );
  }

  /** Splits a request target under the prefix into the mount path and the rest. */
  split(url: string): SplitTarget {
    // An absolute-form target keeps its authority: the proxy compares it with the Host header.
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
    // A target without a mount path does not get a slash: the proxy validates `*` and the like.
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

/** The router compares decoded segments. It does not route a path that cannot be decoded. */
function decode(segment: string): string {
  if (!segment.includes("%")) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
