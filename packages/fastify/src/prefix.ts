/**
 * A prefix as fastify mounts it. It may have parameters ("/:tenant/api"), so what a request's path has of it is found by
 * counting segments, and taken as it came: the rest goes on byte for byte.
 */
export class Prefix {
  readonly #segments: readonly string[];

  constructor(prefix: string) {
    this.#segments = prefix.split("/").filter((segment) => segment !== "");
  }

  /** Whether a request target lies under the prefix. */
  covers(url: string): boolean {
    const { mountPath } = this.split(url);
    const found = mountPath.split("/").slice(1);
    return (
      found.length === this.#segments.length &&
      this.#segments.every((segment, index) => (segment.includes(":") ? found[index] !== "" : segment === found[index]))
    );
  }

  /** Takes the prefix off a request target that lies under it. */
  split(url: string): { readonly mountPath: string; readonly rest: string } {
    // An absolute-form target keeps its authority: the proxy holds it against the Host header.
    const start = /^https?:\/\/[^/?#]*/i.exec(url)?.[0].length ?? 0;
    const mark = url.slice(start).search(/[?#]/);
    const pathEnd = mark === -1 ? url.length : start + mark;
    let end = start;
    for (let left = this.#segments.length; left > 0 && end < pathEnd; left--) {
      const slash = url.indexOf("/", end + 1);
      end = slash === -1 || slash > pathEnd ? pathEnd : slash;
    }
    const mountPath = url.slice(start, end);
    const rest = url.slice(end);
    // What has lost nothing is not made into a path: `*` and the like are for the proxy to judge.
    const isWhole = rest.startsWith("/") || (mountPath === "" && start === 0);
    return { mountPath, rest: url.slice(0, start) + (isWhole ? rest : `/${rest}`) };
  }
}
