import { type Pool, ProxyError, type Proxy as ReverseProxy } from "evenkeel";
import type { AdminTarget } from "./admin-target.ts";

/** Adapts a proxy of this process. A lookup and the change that follows it are made in one turn of the event loop. */
export function proxyTarget(proxy: ReverseProxy): AdminTarget {
  return {
    snapshot: async () => proxy.snapshot(),
    poolNames: () => proxy.pools.keys(),
    async setUpstream(name, id, { weight, state, timeout }) {
      const pool = poolOf(proxy, name);
      if (weight !== undefined) pool.setWeight(id, weight);
      if (state !== undefined) pool.setState(id, state, { timeout });
    },
    addUpstream: async (name, options) => poolOf(proxy, name).add(options).id,
    removeUpstream: async (name, id) => poolOf(proxy, name).remove(id),
    describe: () => proxy.describeOptions(),
    failures: async () => proxy.recentFailures(),
    explain: async (request) => proxy.explain(request),
    on: (name, listener) => void proxy.on(name, listener as never),
    off: (name, listener) => void proxy.off(name, listener as never),
  };
}

function poolOf({ pools }: ReverseProxy, name: string): Pool {
  const pool = pools.get(name);
  if (pool === undefined) throw new ProxyError("unknown_upstream", `there is no pool ${JSON.stringify(name)}`);
  return pool;
}
