import type { ProxySnapshot } from "evenkeel";
import type { Logger } from "pino";

/** Returns a function that logs a text with what is in flight. */
export function drainReport(logger: Logger, snapshot: () => ProxySnapshot): (what: string) => void {
  return (what) => {
    const { pools } = snapshot();
    const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);
    const inFlight = sum(pools.map((pool) => pool.inFlight));
    const tunnels = sum(pools.map((pool) => pool.tunnels));
    logger.info({ inFlight, tunnels }, `${what} (${inFlight} requests, ${tunnels} tunnels)`);
  };
}
