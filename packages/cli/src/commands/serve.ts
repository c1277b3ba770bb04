import type { FileConfig } from "@evenkeel/config";
import type { Logger } from "pino";
import type { Diagnostics } from "../log/diagnostics.ts";
import { StandaloneServer } from "../primary/standalone-server.ts";
import type { SuccessionOptions } from "../restart/succession.ts";
import { Signals } from "../signals.ts";

/** Callbacks of a command that serves, and the processes before it. */
export interface ServeHooks extends SuccessionOptions {
  /** Called once all listeners are open. */
  readonly onReady?: (server: StandaloneServer) => void;
  /** Called when a signal has requested the stop. */
  readonly onStopping?: () => void;
}

/** Serves until a signal stops the server. Throws if the server cannot start. */
export async function serve(
  load: () => FileConfig,
  { logger, relay }: Diagnostics,
  { onReady, onStopping, ...succession }: ServeHooks = {},
): Promise<void> {
  const signals = new Signals();
  const workers = { entry: process.argv[1] as string, stderr: relay };
  const server = await StandaloneServer.start(load, logger, { ...succession, workers });
  // First, so that the demo's addresses are above the log.
  onReady?.(server);
  logReady(server, logger);
  signals.handle({
    reload: () => tryReload(server),
    reopenLog: () => server.reopenLog(),
    restart() {
      // The log has the reason of a failure.
      if (succession.restartable === true) server.restart().catch(() => {});
      else logger.warn("SIGUSR2 is ignored: only `evenkeel run` can be replaced in place");
    },
    stop() {
      onStopping?.();
      void server.stop();
    },
    stopNow: () => server.stopNow(),
  });
  await server.stopped;
  logger.info("stopped");
}

function logReady({ listen, admin, proxy }: StandaloneServer, logger: Logger): void {
  const pools = proxy.pools.size;
  const upstreams = [...proxy.pools.values()].reduce((sum, pool) => sum + pool.upstreams.length, 0);
  const where = `${listen.join(", ")}${admin === undefined ? "" : `, admin on ${admin}`}`;
  logger.info(
    { listen, admin, pools, upstreams, pid: process.pid },
    `ready on ${where}, with ${count(pools, "pool")} and ${count(upstreams, "upstream")}`,
  );
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** Ignores the error of a failed reload, which has been logged. */
export function tryReload(server: StandaloneServer): void {
  server.reload().catch(() => {});
}
