/** Decides when the event loop of another process stalls. Called at regular intervals. */
export class Heartbeat {
  readonly #limit: number;
  #awaited = false;
  #missed = 0;

  /** `limit` is the number of intervals without a reply after which the process counts as stalled. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Returns what to do now. `late`: this process has stalled itself in this interval, and may not have read a reply. At most
   * one ping is on its way.
   */
  beat(late: boolean): "ping" | "wait" | "stalled" {
    if (!this.#awaited) {
      this.#awaited = true;
      this.#missed = 0;
      return "ping";
    }
    if (!late) this.#missed++;
    return this.#missed >= this.#limit ? "stalled" : "wait";
  }

  replied(): void {
    this.#awaited = false;
  }
}
