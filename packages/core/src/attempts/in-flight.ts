import { limits } from "../config/defaults.ts";
import type { Clock } from "../runtime/clock.ts";
import { IndexedSet, type IndexedSetMember } from "../runtime/indexed-set.ts";

/** Something on its way, a request or a tunnel, that closing waits for and may have to end. */
export interface Active extends IndexedSetMember {
  /** Ends it now, unfinished. */
  destroy(): void;
}

/** Everything on its way. */
export class InFlightSet {
  readonly #members = new IndexedSet<Active>();
  /** Ends the waiting that is under way. */
  #settle: ((empty: boolean) => void) | undefined;
  #hurried = false;

  add(member: Active): void {
    this.#members.add(member);
  }

  delete(member: Active): void {
    this.#members.delete(member);
    if (this.#members.size === 0) this.#settle?.(true);
  }

  /** Resolves when nothing is on its way, true, or after `timeoutMs` or a `hurry`, false. */
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
   * Resolves when nothing is left. What is left after `timeoutMs` is told to end, and cut a moment later. `onEnded` is called
   * before anything is, or when there is nothing to end.
   */
  async drain(timeoutMs: number, clock: Clock, onEnded: () => void): Promise<void> {
    for (const patienceMs of [timeoutMs, limits.closeGraceMs]) {
      if (await this.emptyWithin(patienceMs, clock)) break;
      onEnded();
      this.destroyAll();
    }
    onEnded();
    await this.emptyWithin(limits.closeGraceMs, clock);
  }

  /** Ends the waiting that is under way, or that is about to begin. */
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
