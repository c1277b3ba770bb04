/**
 * For Node servers behind Evenkeel: says in each response how busy the process is, so that it gets no more than it can
 * do. Stands alone, so that an upstream loads nothing of the proxy.
 */

import { type IncomingMessage, type ServerResponse, validateHeaderName } from "node:http";
import { type EventLoopUtilization, performance } from "node:perf_hooks";

export interface AnnounceLoadOptions {
  /** The header that the pool's `weights.header` names. Default: "x-evenkeel-load". */
  readonly header?: string;
  /** The load at this moment, 0 to 1; what is more counts as 1, what is no number is not announced. Default: `loopLoad()`. */
  readonly loadOf?: () => number;
}

/**
 * A listener for requests that sets the header on their responses. It has to come before whatever answers, and calls
 * `next` where there is one.
 *
 * @example
 * http.createServer(announceLoad()).on("request", app).listen(3001);
 * @example
 * app.use(announceLoad()); // Express
 * @example
 * fastify.server.prependListener("request", announceLoad());
 */
export function announceLoad(
  options: AnnounceLoadOptions = {},
): (req: IncomingMessage, res: ServerResponse, next?: () => void) => void {
  const { header = "x-evenkeel-load", loadOf = loopLoad() } = options;
  validateHeaderName(header);
  return (_req, res, next) => {
    const load = loadOf();
    if (!Number.isNaN(load) && !res.headersSent) res.setHeader(header, Math.min(1, Math.max(0, load)).toFixed(3));
    next?.();
  };
}

/** Milliseconds that a load looks back on: what is older fades. */
const memoryMs = 1_000;

/**
 * How busy this thread's event loop has been in the last second or so, 0 to 1: a moving average of its utilization, which
 * each call brings up to date in constant time, however long ago the last one was.
 *
 * The loop's own figures tell the time as well: it is active or idle, and nothing else. `read` is for tests.
 */
export function loopLoad(read: () => EventLoopUtilization = () => performance.eventLoopUtilization()): () => number {
  let before = read();
  let load: number | undefined;
  return () => {
    const now = read();
    const active = now.active - before.active;
    const elapsedMs = active + now.idle - before.idle;
    if (elapsedMs <= 0) return load ?? 0;
    before = now;
    const utilization = active / elapsedMs;
    // There is no past to weigh the first figure against.
    load = load === undefined ? utilization : utilization + (load - utilization) * Math.exp(-elapsedMs / memoryMs);
    return load;
  };
}
