// How do I write my own balancing policy, such as "in my zone, if one is available there"?

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Candidate, createProxy, type PickContext, type Policy } from "evenkeel";

/** Picks the least busy upstream for its weight among those whose id begins with the zone, or among all if there are none. */
class NearestFirst implements Policy {
  readonly name = "nearest-first";
  readonly #zone: string;

  constructor(zone: string) {
    this.#zone = zone;
  }

  /** Upstreams that are unhealthy, full, or were tried before for this request are not candidates. */
  pick({ candidates }: PickContext): Candidate {
    const near = candidates.filter(({ id }) => id.startsWith(`${this.#zone}-`));
    const load = ({ inFlight, effectiveWeight }: Candidate) => (inFlight + 1) / effectiveWeight;
    return (near.length > 0 ? near : candidates).reduce((best, one) => (load(one) < load(best) ? one : best));
  }
}

export async function start(zone: string, upstreams: { id: string; url: string }[], port = 8080) {
  const proxy = createProxy({ upstreams, balance: new NearestFirst(zone) });
  const server = createServer(proxy.handler).on("upgrade", proxy.upgrade).on("clientError", proxy.clientError);
  await once(server.listen(port), "listening");
  return { port: (server.address() as AddressInfo).port, proxy, server };
}
