import { setTimeout as wait } from "node:timers/promises";
import type { Proxy as ReverseProxy } from "evenkeel";
import type { Server } from "evenkeel/server";
import { aborted } from "../aborted.ts";
import { limits } from "../limits.ts";

export interface DrainInput {
  readonly proxy: ReverseProxy;
  readonly server: Server;
  /** How long requests in flight may take. */
  readonly timeoutMs: number;
  /** Aborted when the stop is forced. */
  readonly force: AbortSignal;
  readonly handedOver: boolean;
  /** Called at the start, now and then, and when the time is over. */
  readonly report: (what: string) => void;
}

/**
 * Stops serving without losing a request.
 *
 * 1. The listening sockets are closed. From then on every response says `Connection: close`.
 * 2. Idle connections are closed after a grace period, in which a client may still send a request.
 * 3. Requests and tunnels in flight may finish within `timeoutMs`.
 * 4. The rest is ended: requests with an error, tunnels with a WebSocket close.
 */
export async function drain({ proxy, server, timeoutMs, force, handedOver, report }: DrainInput): Promise<void> {
  await server.stopAccepting({ handedOver });
  // Before `proxy.close`: the held requests must be in flight in the proxy before it checks for any.
  const connectionsClosed = server.finish();
  const drained = proxy.close({ timeout: `${timeoutMs}ms` });
  report("stopping: no new connections, waiting for requests in flight");
  const reporting = setInterval(() => report("still waiting for requests in flight"), limits.drainReportMs);

  const stopWaiting = new AbortController();
  const timeUp = wait(timeoutMs, undefined, { signal: stopWaiting.signal }).catch(() => {});
  const finished = Promise.all([connectionsClosed, drained]).then(() => true);
  const inTime = await Promise.race([finished, timeUp, aborted(force)]);
  if (inTime !== true) report("ending the requests that are still in flight");
  // After `timeoutMs` the proxy ends the rest itself, tunnels with a WebSocket close.
  await Promise.race([drained, aborted(force)]);
  // The proxy responds with an error first, so that it does not count these requests as aborted by the client.
  const forcedEnd = () => wait(limits.forcedEndMs, undefined, { signal: stopWaiting.signal });
  if (force.aborted) await Promise.race([proxy.close({ timeout: "0ms" }), forcedEnd()]);
  server.destroy();
  await Promise.race([finished, wait(limits.settleMs, undefined, { signal: stopWaiting.signal })]);

  stopWaiting.abort();
  clearInterval(reporting);
}
