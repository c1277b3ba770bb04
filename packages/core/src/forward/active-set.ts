import type { Clock } from "../runtime/clock.ts";

/** Something on its way, a request or a tunnel, that closing waits for and may have to end. */
export interface Active {
  /** Ends it now, unfinished. */
  destroy(): void;
}

/** Everything on its way. */
export class ActiveSet {
  readonly #members = new Set<Active>();
  #onEmpty: (() => void) | undefined;

  add(member: Active): void {
    this.#members.add(member);
  }

  delete(member: Active): void {
    this.#members.delete(member);
    if (this.#members.size === 0) this.#onEmpty?.();
  }

  /** Resolves when nothing is on its way, true, or after `timeoutMs`, false. */
  emptyWithin(timeoutMs: number, clock: Clock): Promise<boolean> {
    if (this.#members.size === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = clock.setTimeout(() => resolve(false), timeoutMs);
      this.#onEmpty = () => {
        clock.clearTimeout(timer);
        resolve(true);
      };
    });
  }

  destroyAll(): void {
    for (const member of this.#members) member.destroy();
  }
}
