/** Conditions that are waited for, and looked at whenever something happens that may have made them true. */
export class Conditions {
  readonly #checks = new Set<() => void>();

  /** Resolves as soon as the condition holds. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!condition()) return;
        this.#checks.delete(check);
        resolve();
      };
      this.#checks.add(check);
      check();
    });
  }

  /** Looks at every condition. */
  readonly check = (): void => {
    for (const check of this.#checks) check();
  };
}
