import { setTimeout as wait } from "node:timers/promises";
import type { Proxy as ReverseProxy } from "evenkeel";
import type { Logger } from "pino";
import { limits } from "../limits.ts";
import type { Listener } from "./listener.ts";

export interface DrainInput {
  readonly proxy: ReverseProxy;
  readonly listeners: readonly Listener[];
  readonly logger: Logger;
  /** How long requests on their way may take. */
  readonly timeoutMs: number;
  /** Aborted when there is no more time. */
  readonly force: AbortSignal;
}

/**
 * Stops serving without losing a request: no new connections, the last answer on each open one, and only then its end.
 *
 * 1. the listening sockets are closed; from then on every answer says `Connection: close`
 * 2. connections that stay idle are closed, after a short grace for requests that were on their way
 * 3. what is on its way may finish, for `timeoutMs`
 * 4. what is left is ended, tunnels with a WebSocket close
 */
export async function drain({ proxy, listeners, logger, timeoutMs, force }: DrainInput): Promise<void> {
  await Promise.all(listeners.map((listener) => listener.stopAccepting()));
  // In this order: the requests that have waited are the proxy's before it looks whether there are any.
  const gone = Promise.all(listeners.map((listener) => listener.finish()));
  const drained = proxy.close({ timeout: `${timeoutMs}ms` });
  const report = (what: string) => {
    const { inFlight, tunnels } = underWay(proxy);
    logger.info({ inFlight, tunnels }, `${what} (${inFlight} requests, ${tunnels} tunnels)`);
  };
  report("stopping: no new connections, finishing what is under way");

  const sweepFrom = performance.now() + limits.keepAliveGraceMs;
  const sweeping = setInterval(() => {
    if (performance.now() < sweepFrom) return;
    for (const listener of listeners) listener.closeIdle();
  }, limits.idleCheckMs);
  const reporting = setInterval(() => report("still finishing what is under way"), limits.drainReportMs);

  const stopWaiting = new AbortController();
  const timeUp = wait(timeoutMs, undefined, { signal: stopWaiting.signal }).catch(() => {});
  const finished = Promise.all([gone, drained]).then(() => true);
  const inTime = await Promise.race([finished, timeUp, aborted(force)]);
  if (inTime !== true) report("ending what is still under way");
  // When the time is up the proxy ends it by itself, tunnels in good manners.
  await Promise.race([drained, aborted(force)]);
  // Told by the proxy what it is, and not taken for a client that has left.
  const moment = () => wait(limits.forcedEndMs, undefined, { signal: stopWaiting.signal });
  if (force.aborted) await Promise.race([proxy.close({ timeout: "0ms" }), moment()]);
  for (const listener of listeners) listener.destroy();
  await Promise.race([finished, wait(limits.settleMs, undefined, { signal: stopWaiting.signal })]);

  stopWaiting.abort();
  clearInterval(sweeping);
  clearInterval(reporting);
}

function underWay(proxy: ReverseProxy): { inFlight: number; tunnels: number } {
  const { pools } = proxy.snapshot();
  const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);
  return { inFlight: sum(pools.map((pool) => pool.inFlight)), tunnels: sum(pools.map((pool) => pool.tunnels)) };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
