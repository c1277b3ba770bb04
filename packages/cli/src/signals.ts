/** The actions of a serving process on each signal. */
export interface SignalHandlers {
  /** SIGHUP. */
  readonly reload: () => void;
  /** SIGUSR1. */
  readonly reopenLog: () => void;
  /** SIGUSR2. */
  readonly restart: () => void;
  /** The first SIGTERM, SIGINT or SIGQUIT. */
  readonly stop: () => void;
  /** Each further one of these. If it returns false, the process ends at once. */
  readonly stopNow: () => boolean;
}

/**
 * Handles every signal that an operator may send, from its creation on, so that none of them ends the process by default.
 * Signals that arrive while the server is starting wait for `handle`.
 */
export class Signals {
  #handlers: SignalHandlers | undefined;
  #stops = 0;
  /** At most one of a kind: a second reload adds nothing to one that has not begun. */
  readonly #waiting = new Set<keyof SignalHandlers>();

  constructor() {
    process
      .on("SIGHUP", () => this.#run("reload"))
      .on("SIGUSR1", () => this.#run("reopenLog"))
      .on("SIGUSR2", () => this.#run("restart"));
    for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) process.on(signal, () => this.#onStop());
  }

  /** Runs the actions of the signals that have arrived, in order. Later signals run at once. */
  handle(handlers: SignalHandlers): void {
    this.#handlers = handlers;
    for (const name of this.#waiting) handlers[name]();
    this.#waiting.clear();
  }

  #onStop(): void {
    this.#stops++;
    if (this.#stops === 1) return this.#run("stop");
    const handled = this.#handlers === undefined ? this.#stops === 2 : this.#handlers.stopNow();
    if (!handled) process.exit(1);
    if (this.#handlers === undefined) this.#waiting.add("stopNow");
  }

  #run(name: keyof SignalHandlers): void {
    if (this.#handlers === undefined) this.#waiting.add(name);
    else this.#handlers[name]();
  }
}
