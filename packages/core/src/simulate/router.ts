import { createSyntheticRequest } from "../explain/synthetic-request.ts";
import { isRefusal } from "../request/request-head.ts";
import { isRouted, type RoutedRequest, readRequest } from "../request/routed-request.ts";
import type { Routing } from "../request/routing.ts";
import type { ResolvedRequest } from "./trace/resolved-trace.ts";

/** Different requests that are remembered. */
const mostKnown = 10_000;

/** Finds the routes of requests. Those that look alike are read once. */
export class Router {
  readonly #routing: Routing;
  readonly #known = new Map<string, RoutedRequest | string>();

  constructor(routing: Routing) {
    this.#routing = routing;
  }

  /** A request as it is read and routed, or the code that it is refused with. */
  route({ method, url, client }: ResolvedRequest): RoutedRequest | string {
    const target = `${method} ${url} ${client}`;
    const known = this.#known.get(target);
    if (known !== undefined) return known;
    const arrival = readRequest(
      createSyntheticRequest({ method, url, ...(client !== undefined && { client }) }),
      this.#routing,
    );
    const found = isRefusal(arrival) ? arrival.code : isRouted(arrival) ? arrival : "no_route";
    if (this.#known.size < mostKnown) this.#known.set(target, found);
    return found;
  }
}
