import type { Pool } from "../../src/pool/pool.ts";
import type { Upstream } from "../../src/pool/upstream.ts";

/** Puts a waiter into the queue that behaves like a request: it takes the first untried candidate, or logs that there is none. */
export function lineUp(pool: Pool, log: string[], name: string, tried: readonly Upstream[] = []): void {
  const onRoom = () => {
    const [upstream] = pool.candidatesExcept(tried);
    log.push(`${name}: ${upstream?.id ?? "none"}`);
    if (upstream !== undefined) pool.begin(upstream);
    else if (pool.mayFreeUp(tried)) throw new Error("woken for nothing");
  };
  pool.queue.enter({ tried, onRoom, onTimeout: () => log.push(`${name}: timeout`) });
}
