import { RestartRefused } from "@evenkeel/admin";
import type { Logger } from "pino";
import { messageOf } from "../failure.ts";
import { shareStandardStreams } from "../log/shared-streams.ts";
import { placeOfProcess, restartRefusal } from "./restart-refusal.ts";
import { startSuccessor } from "./start-successor.ts";
import type { Successor, SuccessorHost } from "./successor.ts";

/** The process that restarts replace. */
export interface RestartHost extends SuccessorHost {
  /** A successor serves: this process has to drain. */
  readonly replacedBy: (successor: Successor) => void;
}

/** The restarts in place of a process: one at a time, and the first that succeeds is the last. */
export class Restarts {
  readonly #logger: Logger;
  #state: "serving" | "stopping" | "replaced" = "serving";
  #running: { readonly successor: Successor; readonly outcome: Promise<void> } | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /**
   * Starts another process in place of this one, and resolves once that one serves. Rejects with a `RestartRefused`, or with a
   * `Failure` if the other process cannot serve: nothing has changed then.
   */
  async run(host: RestartHost): Promise<{ readonly pid: number }> {
    const refusal = this.#refusal();
    if (refusal !== undefined) {
      this.#logger.warn(`not restarted: ${refusal}`);
      throw new RestartRefused(refusal);
    }
    const streamsEnd = shareStandardStreams();
    let successor: Successor | undefined;
    try {
      successor = startSuccessor(host);
      this.#running = { successor, outcome: successor.ready };
      this.#logger.info({ successor: successor.pid }, `restarting: process ${successor.pid} starts`);
      await successor.ready;
    } catch (error) {
      streamsEnd();
      const facts = { successor: successor?.pid };
      this.#logger.error(facts, `the restart failed, and nothing has changed: ${messageOf(error)}`);
      throw error;
    } finally {
      this.#running = undefined;
    }
    const { pid = 0 } = successor;
    this.#state = "replaced";
    this.#logger.info({ successor: pid }, `process ${pid} has taken over`);
    host.replacedBy(successor);
    return { pid };
  }

  /** Resolves when no restart is in progress: whether this process was replaced. */
  async settled(): Promise<boolean> {
    await this.#running?.outcome.catch(() => {});
    return this.#state === "replaced";
  }

  /** Ends a restart in progress, and refuses further ones. */
  stop(): void {
    if (this.#state === "serving") this.#state = "stopping";
    this.#running?.successor.fail("this process stops");
  }

  #refusal(): string | undefined {
    if (this.#state === "replaced") return "this process was replaced already";
    if (this.#state === "stopping") return "this process stops";
    if (this.#running !== undefined) return `a restart is in progress: process ${this.#running.successor.pid} starts`;
    return restartRefusal(placeOfProcess());
  }
}
