import { limits } from "../config/defaults.ts";
import type { ExceptionEvent } from "../events.ts";
import type { Clock } from "../runtime/clock.ts";

/** Emits process warnings for exceptions in the app's code, rate-limited for each place. */
export class ExceptionWarnings {
  readonly #clock: Clock;
  readonly #warnedAt = new Map<ExceptionEvent["where"], number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  warn({ where, error }: ExceptionEvent): void {
    const now = this.#clock.now();
    if (now - (this.#warnedAt.get(where) ?? -Infinity) < limits.exceptionWarningMs) return;
    this.#warnedAt.set(where, now);
    const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined };
    process.emitWarning(`${where} failed: ${message}`, {
      type: "EvenkeelWarning",
      ...(stack !== undefined && { detail: stack }),
    });
  }
}
