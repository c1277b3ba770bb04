import type { ErrorCode } from "../errors.ts";
import type { Clock, Timer } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import { drawLatency } from "./latency.ts";
import type { ResolvedFailure, ResolvedModel } from "./trace/resolved-trace.ts";

/** Milliseconds until a connection is refused. */
const refusalMs = 1;

/** Gets the result of a modelled request: exactly one call, never within `dispatch`. */
export interface ModelledHandler {
  onStatus(status: number): void;
  /** `sent`: the request may have reached the upstream. */
  onFailure(code: ErrorCode, sent: boolean): void;
}

/** An upstream that responds according to a model, without a socket. */
export class ModelledUpstream {
  /** The factor of its latency. */
  slower = 1;
  failures: readonly ResolvedFailure[];
  readonly #model: ResolvedModel;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #open = new Map<ModelledHandler, Timer>();
  /** For each slot of `concurrency`, the time when it is free again. */
  readonly #busyUntil: number[] = [];
  #down = false;

  constructor(model: ResolvedModel, clock: Clock, random: Random) {
    this.#model = model;
    this.#clock = clock;
    this.#random = random;
    this.failures = model.failures;
  }

  /** True: goes down and resets everything in flight. False: is up again. */
  set down(down: boolean) {
    this.#down = down;
    if (!down) return;
    this.#busyUntil.length = 0;
    for (const handler of [...this.#open.keys()]) this.#end(handler, () => handler.onFailure("reset", true));
  }

  /** Handles a request, which times out after `timeoutMs`. */
  dispatch(handler: ModelledHandler, timeoutMs: number): void {
    const how = this.#down ? "refuse" : this.#drawFailure();
    if (how === "refuse") return this.#later(handler, refusalMs, () => handler.onFailure("connect_refused", false));
    const ms = this.#work();
    if (how === "hang" || ms > timeoutMs)
      return this.#later(handler, timeoutMs, () => handler.onFailure("headers_timeout", true));
    if (how === "reset") return this.#later(handler, ms, () => handler.onFailure("reset", true));
    this.#later(handler, ms, () => handler.onStatus(how ?? 200));
  }

  /** The request was aborted. The upstream stays busy for the time that it would have taken. */
  forget(handler: ModelledHandler): void {
    this.#clock.clearTimeout(this.#open.get(handler));
    this.#open.delete(handler);
  }

  #drawFailure(): ResolvedFailure["how"] | undefined {
    if (this.failures.length === 0) return undefined;
    let left = this.#random();
    for (const { how, share } of this.failures) {
      left -= share;
      if (left < 0) return how;
    }
    return undefined;
  }

  /** Milliseconds until a request that arrives now is done: waiting for a slot plus its latency. */
  #work(): number {
    const ms = drawLatency(this.#model.latency, this.#random) * this.slower;
    const { concurrency } = this.#model;
    if (concurrency === Infinity) return ms;
    const now = this.#clock.now();
    let first = 0;
    while (this.#busyUntil.length < concurrency) this.#busyUntil.push(now);
    for (const [index, at] of this.#busyUntil.entries()) if (at < (this.#busyUntil[first] as number)) first = index;
    const until = Math.max(now, this.#busyUntil[first] as number) + ms;
    this.#busyUntil[first] = until;
    return until - now;
  }

  #later(handler: ModelledHandler, ms: number, callback: () => void): void {
    this.#open.set(
      handler,
      this.#clock.setTimeout(() => this.#end(handler, callback), ms),
    );
  }

  #end(handler: ModelledHandler, callback: () => void): void {
    this.forget(handler);
    callback();
  }
}
