import { makeUpRequest } from "../explain/made-up-request.ts";
import { isRouted, type RoutedArrival, readArrival } from "../forward/arrival.ts";
import type { Routing } from "../forward/engine.ts";
import { isRefusal } from "../forward/request-head.ts";
import type { ResolvedRequest } from "./resolved-trace.ts";

/** Different requests that are remembered. */
const mostKnown = 10_000;

/** Finds the routes of requests. Those that look alike are read once. */
export class Router {
  readonly #routing: Routing;
  readonly #known = new Map<string, RoutedArrival | string>();

  constructor(routing: Routing) {
    this.#routing = routing;
  }

  /** A request as it is read and routed, or the code that it is refused with. */
  route({ method, url, client }: ResolvedRequest): RoutedArrival | string {
    const target = `${method} ${url} ${client}`;
    const known = this.#known.get(target);
    if (known !== undefined) return known;
    const arrival = readArrival(makeUpRequest({ method, url, ...(client !== undefined && { client }) }), this.#routing);
    const found = isRefusal(arrival) ? arrival.code : isRouted(arrival) ? arrival : "no_route";
    if (this.#known.size < mostKnown) this.#known.set(target, found);
    return found;
  }
}
