/** What a serving process does on each signal. */
export interface SignalHandlers {
  /** SIGHUP. */
  readonly reload: () => void;
  /** SIGUSR1. */
  readonly reopenLog: () => void;
  /** SIGUSR2. */
  readonly restart: () => void;
  /** The first SIGTERM, SIGINT or SIGQUIT. */
  readonly stop: () => void;
  /** The second one. A third one ends the process at once. */
  readonly stopNow: () => void;
}

/**
 * Takes every signal that an operator may send, from its creation on: none of them ends the process by itself any more.
 * Signals that come while the server is still starting wait for `handle`.
 */
export class Signals {
  #handlers: SignalHandlers | undefined;
  #stops = 0;
  /** At most one of a kind: a second reload has nothing to add to one that has not begun. */
  readonly #waiting = new Set<keyof SignalHandlers>();

  constructor() {
    process
      .on("SIGHUP", () => this.#run("reload"))
      .on("SIGUSR1", () => this.#run("reopenLog"))
      .on("SIGUSR2", () => this.#run("restart"));
    for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) process.on(signal, () => this.#onStop());
  }

  /** Runs what has waited, in its order, and from now on every signal at once. */
  handle(handlers: SignalHandlers): void {
    this.#handlers = handlers;
    for (const name of this.#waiting) handlers[name]();
    this.#waiting.clear();
  }

  #onStop(): void {
    this.#stops++;
    if (this.#stops > 2) process.exit(1);
    this.#run(this.#stops === 1 ? "stop" : "stopNow");
  }

  #run(name: keyof SignalHandlers): void {
    if (this.#handlers === undefined) this.#waiting.add(name);
    else this.#handlers[name]();
  }
}
