import { limits } from "../config/defaults.ts";
import type { Clock } from "../runtime/clock.ts";
import { IndexedSet, type IndexedSetMember } from "../runtime/indexed-set.ts";

/** A request or a tunnel in flight. Closing the proxy waits for it, and destroys it after the timeout. */
export interface InFlight extends IndexedSetMember {
  /** Ends it now, unfinished. */
  destroy(): void;
}

/** All requests and tunnels in flight. */
export class InFlightSet {
  readonly #members = new IndexedSet<InFlight>();
  /** Ends the wait of `emptyWithin`. */
  #settle: ((empty: boolean) => void) | undefined;
  #hurried = false;

  add(member: InFlight): void {
    this.#members.add(member);
  }

  delete(member: InFlight): void {
    this.#members.delete(member);
    if (this.#members.size === 0) this.#settle?.(true);
  }

  /** Resolves to true once the set is empty, or to false after `timeoutMs` or `hurry`. */
  emptyWithin(timeoutMs: number, clock: Clock): Promise<boolean> {
    if (this.#members.size === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      this.#settle = (empty) => {
        this.#settle = undefined;
        this.#hurried = false;
        clock.clearTimeout(timer);
        resolve(empty);
      };
      const timer = clock.setTimeout(() => this.#settle?.(false), this.#hurried ? 0 : timeoutMs);
    });
  }

  /**
   * Resolves once the set is empty. After `timeoutMs` each member is destroyed, and after the grace period once more: the
   * first `destroy` of a tunnel closes it in order, the second cuts it. `onEnded` is called before each of these passes,
   * and when the set is empty.
   */
  async drain(timeoutMs: number, clock: Clock, onEnded: () => void): Promise<void> {
    for (const waitMs of [timeoutMs, limits.closeGraceMs]) {
      if (await this.emptyWithin(waitMs, clock)) break;
      onEnded();
      this.destroyAll();
    }
    onEnded();
    await this.emptyWithin(limits.closeGraceMs, clock);
  }

  /** Ends the current wait of `drain`, or the next one if none has begun. */
  hurry(): void {
    this.#hurried = true;
    this.#settle?.(false);
  }

  destroyAll(): void {
    this.#members.forEach((member) => {
      member.destroy();
    });
  }
}
