import type { ExceptionEvent, ProxyEvents } from "../events.ts";
import type { RequestProblem } from "../forward/reporter.ts";
import type { Clock } from "../runtime/clock.ts";
import type { SafeEmitter } from "../runtime/emitter.ts";
import type { ProxySnapshot } from "../snapshot.ts";
import { type LoggerOption, toWriter } from "./logger.ts";
import { logPoolEvents, type PoolEventSource } from "./pool-events.ts";
import { RequestFailures } from "./request-failures.ts";

/** The part of a proxy that is logged. */
type LoggedProxy = Pick<SafeEmitter<ProxyEvents>, "on" | "off"> & { snapshot(): ProxySnapshot };

/** The loggers of one proxy. */
export class ProxyLogs {
  readonly #proxy: LoggedProxy;
  readonly #problems: Set<(problem: RequestProblem) => void>;
  readonly #clock: Clock;
  /** The proxy was created with a logger. */
  readonly configured: boolean;
  /** The function that ends each. */
  readonly #loggers = new Map<LoggerOption, () => void>();

  /** `logger` is that of the proxy's creator. */
  constructor(
    proxy: LoggedProxy,
    problems: Set<(problem: RequestProblem) => void>,
    clock: Clock,
    logger: LoggerOption | undefined,
  ) {
    this.#proxy = proxy;
    this.#problems = problems;
    this.#clock = clock;
    this.configured = logger !== undefined;
    if (logger !== undefined) this.add(logger);
  }

  /**
   * Logs like the `logger` option until the returned function is called. A logger that is in use already is not added. With
   * `pools: false` only exceptions and problems of requests are logged, where another process logs what happens to pools.
   * Throws an `OptionsError` for what is no logger.
   */
  add(logger: LoggerOption, { pools = true }: { readonly pools?: boolean } = {}): () => void {
    if (this.#loggers.has(logger)) return () => {};
    const write = toWriter(logger);
    const stopPools = pools ? logPoolEvents(sourceOf(this.#proxy), write, { clock: this.#clock }) : () => {};
    const requests = new RequestFailures(this.#clock, write);
    const onException = (event: ExceptionEvent) => requests.onException(event);
    const onProblem = (problem: RequestProblem) => requests.onProblem(problem);
    this.#proxy.on("exception", onException);
    this.#problems.add(onProblem);
    const stop = () => {
      if (!this.#loggers.delete(logger)) return;
      stopPools();
      this.#proxy.off("exception", onException);
      this.#problems.delete(onProblem);
      requests.close();
    };
    this.#loggers.set(logger, stop);
    return stop;
  }

  close(): void {
    for (const stop of [...this.#loggers.values()]) stop();
  }
}

/** The compiler cannot relate the listeners, whose only argument is the event of the name. */
function sourceOf(proxy: LoggedProxy): PoolEventSource {
  return {
    on: (name, listener) => proxy.on(name, listener as never),
    off: (name, listener) => proxy.off(name, listener as never),
    snapshot: () => proxy.snapshot(),
  };
}
