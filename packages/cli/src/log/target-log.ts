import type { AdminTarget } from "@evenkeel/admin";
import { type LogEntry, logPoolEvents } from "evenkeel";
import type { Logger } from "pino";

/** Entries of a start that are kept until it has succeeded. */
const maxHeld = 1_000;

/** Logs what happens to the pools and to the configuration. Requests have a log of their own. */
export class TargetLog {
  readonly #stop: () => void;
  readonly #logger: Logger;
  #held: LogEntry[] | undefined = [];

  constructor(target: AdminTarget, logger: Logger) {
    this.#logger = logger;
    this.#stop = logPoolEvents(target, (entry) => this.#write(entry));
  }

  /** Writes the entries until now, and later ones at once. A start that fails logs only its reason. */
  begin(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const entry of held) this.#write(entry);
  }

  close(): void {
    this.#stop();
  }

  #write(entry: LogEntry): void {
    if (this.#held === undefined) this.#logger[entry.level](entry.fields, entry.message);
    else if (this.#held.length < maxHeld) this.#held.push(entry);
  }
}
