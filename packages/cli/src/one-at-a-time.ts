/** Runs an action that takes time once at a time. Calls that come meanwhile share one further run, which begins later. */
export class OneAtATime<T> {
  readonly #action: () => Promise<T>;
  #running: Promise<T> | undefined;
  #next: Promise<T> | undefined;

  constructor(action: () => Promise<T>) {
    this.#action = action;
  }

  /** Resolves or rejects like a run that has begun after this call. */
  run(): Promise<T> {
    if (this.#next !== undefined) return this.#next;
    if (this.#running === undefined) return this.#begin();
    this.#next = this.#running.then(this.#beginNext, this.#beginNext);
    return this.#next;
  }

  readonly #beginNext = (): Promise<T> => {
    this.#next = undefined;
    return this.#begin();
  };

  #begin(): Promise<T> {
    const running = this.#action();
    this.#running = running;
    const end = () => {
      if (this.#running === running) this.#running = undefined;
    };
    running.then(end, end);
    return running;
  }
}
