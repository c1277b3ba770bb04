/**
 * For Node servers behind Evenkeel: announces the load of the process in a header of each response. Evenkeel lowers the
 * weight of a busy upstream. This file imports nothing of the proxy, so that an upstream loads none of it.
 */

import { type IncomingMessage, type ServerResponse, validateHeaderName } from "node:http";
import { type EventLoopUtilization, performance } from "node:perf_hooks";

export interface AnnounceLoadOptions {
  /** The name of the header, as in `weights.header` of the pool. Default: "x-evenkeel-load". */
  readonly header?: string;
  /** Returns the current load. It is clamped to 0 to 1; NaN is not announced. Default: `loopLoad()`. */
  readonly loadOf?: () => number;
}

/**
 * Returns a request listener that sets the header on the response and calls `next` if it is given. It must run before the
 * listener that sends the response. Throws a `TypeError` for an invalid header name.
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

/** The time constant of the moving average, in milliseconds. */
const decayMs = 1_000;

/**
 * Returns a function that measures how busy the event loop of this thread has been in about the last second, 0 to 1. It is
 * an exponential moving average of the loop's utilization. Each call updates it in constant time.
 *
 * The sum of active and idle time is the elapsed time, so no clock is read. `read` is for tests.
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
    // The first measurement has no earlier value to average with.
    load = load === undefined ? utilization : utilization + (load - utilization) * Math.exp(-elapsedMs / decayMs);
    return load;
  };
}
