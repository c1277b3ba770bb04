import { createSyntheticRequest } from "../explain/synthetic-request.ts";
import { isRefusal } from "../request/request-head.ts";
import { isRouted, type RoutedRequest, readRequest } from "../request/routed-request.ts";
import type { Routing } from "../request/routing.ts";
import type { ResolvedRequest } from "./trace/resolved-trace.ts";

/** Bound of the cache. */
const maxKnown = 10_000;

/** Routes simulated requests. The result for equal requests is cached. */
export class Router {
  readonly #routing: Routing;
  readonly #known = new Map<string, RoutedRequest | string>();

  constructor(routing: Routing) {
    this.#routing = routing;
  }

  /** Returns the routed request, or the error code of its refusal. */
  route({ method, url, client }: ResolvedRequest): RoutedRequest | string {
    const target = `${method} ${url} ${client}`;
    const known = this.#known.get(target);
    if (known !== undefined) return known;
    const received = readRequest(
      createSyntheticRequest({ method, url, ...(client !== undefined && { client }) }),
      this.#routing,
    );
    const found = isRefusal(received) ? received.code : isRouted(received) ? received : "no_route";
    if (this.#known.size < maxKnown) this.#known.set(target, found);
    return found;
  }
}
