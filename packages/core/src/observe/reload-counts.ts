import { toReloadError } from "../config/issues.ts";
import type { ProxyError } from "../errors.ts";
import type { ProxySnapshot } from "../snapshot.ts";

/** Counts the reloads of a proxy. */
export class ReloadCounts {
  #succeeded = 0;
  #failed = 0;
  #lastSuccessful = true;

  countSuccess(): void {
    this.#succeeded++;
    this.#lastSuccessful = true;
  }

  /** Returns the error to report. */
  countFailure(error: unknown): ProxyError {
    this.#failed++;
    this.#lastSuccessful = false;
    return toReloadError(error);
  }

  snapshot(): ProxySnapshot["reloads"] {
    return Object.freeze({
      succeeded: this.#succeeded,
      failed: this.#failed,
      lastSuccessful: this.#lastSuccessful,
    });
  }
}
