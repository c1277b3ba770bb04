import type { Coordination } from "./coordination/coordination.ts";
import type { Hooks } from "./forward/hooks.ts";
import type { LoggerOption } from "./log/logger.ts";
import type { Runtime } from "./runtime/runtime.ts";

/** What a proxy is given beside its options, and keeps over reloads. */
export interface ProxySurroundings extends Hooks, Partial<Runtime> {
  /** Shares verdicts, and what operators set, with other proxies. Default: the proxy is alone. */
  readonly coordination?: Coordination;
  /**
   * With false, the requests and probes of this proxy are published on no diagnostics channel, so that no subscriber sees
   * them. Default: true; where OpenTelemetry is set up before the first proxy is created, requests are traced.
   */
  readonly tracing?: boolean;
  /**
   * Logs what happens to pools, exceptions of hooks, and problems of requests, with a bounded volume: pino, winston, the
   * console, or anything with `info`, `warn` and `error`; or a function that gets each entry. Default: nothing is logged.
   */
  readonly logger?: LoggerOption;
}
