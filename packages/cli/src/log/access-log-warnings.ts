import type { Logger } from "pino";
import { reasonOf } from "../failure.ts";
import { ThrottledWarning } from "../throttled-warning.ts";

/** Warns about lines of the access log that cannot be written. */
export class AccessLogWarnings {
  readonly #logger: Logger;
  readonly #dropped: ThrottledWarning;
  readonly #failed: ThrottledWarning;
  #lastError: Error | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#dropped = new ThrottledWarning((lines) =>
      logger.warn({ lines }, "access log lines were dropped because writing is too slow"),
    );
    this.#failed = new ThrottledWarning((times) =>
      logger.error({ times }, `the access log cannot be written: ${reasonOf(this.#lastError)}`),
    );
  }

  dropped(lines = 1): void {
    this.#dropped.add(lines);
  }

  /** `closed`: the reader of the stream at `path` has closed it. */
  failed(error: Error, closed: boolean, path: string): void {
    this.#lastError = error;
    if (closed) this.#logger.warn(`the reader of the access log on ${path} has closed it; no more lines are written`);
    else this.#failed.add();
  }

  close(): void {
    this.#dropped.close();
    this.#failed.close();
  }
}
