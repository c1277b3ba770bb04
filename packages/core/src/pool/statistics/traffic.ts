/** The traffic of a pool. */
export class Traffic {
  /** Bytes of request bodies. */
  bytesIn = 0;
  /** Bytes of response bodies. */
  bytesOut = 0;
  readonly #retries: Record<string, number> = {};

  /** `reason` is an error code, or the status of the discarded response. */
  countRetry(reason: string): void {
    this.#retries[reason] = (this.#retries[reason] ?? 0) + 1;
  }

  snapshot(): {
    readonly bytesIn: number;
    readonly bytesOut: number;
    readonly retries: Readonly<Record<string, number>>;
  } {
    return { bytesIn: this.bytesIn, bytesOut: this.bytesOut, retries: Object.freeze({ ...this.#retries }) };
  }
}
