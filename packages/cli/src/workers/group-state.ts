import { LimitGrantor, SharedState, systemClock } from "evenkeel";
import type { StartMessage } from "./primary-messages.ts";
import type { Supervisor } from "./supervisor.ts";
import type { WorkerMessage } from "./worker-messages.ts";
import type { WorkerProcess } from "./worker-process.ts";

/** What the processes of a group share: intent, evidence, and the limits that hold for all of them. The primary probes. */
export class GroupState {
  readonly coordination: SharedState;
  readonly #grantor: LimitGrantor;
  readonly #workers = new Set<string>();
  #supervisor: Supervisor | undefined;
  #generations = 0;
  #probing = false;

  /** `size` is the number of workers. */
  constructor(size: number) {
    this.coordination = new SharedState({
      self: `${process.pid}/primary`,
      clock: systemClock,
      isProber: () => this.#probing,
      generation: this.#newGeneration(),
      // All participants have the same clock.
      maxAheadMs: Infinity,
      send: (update) => this.#supervisor?.broadcast({ type: "state", update }),
    });
    this.#grantor = new LimitGrantor(size, systemClock, (id, grant) => {
      this.#supervisor?.find(id)?.send({ type: "grant", grant });
    });
  }

  /** Sends to these workers from now on. */
  connect(supervisor: Supervisor): void {
    this.#supervisor = supervisor;
  }

  /** The primary probes from now on. While its workers start, the process that it replaces may still do so. */
  beginProbing(): void {
    this.#probing = true;
    this.#setParticipants();
  }

  /** Begins another configuration. Returns the function that goes back to the one before. */
  renewGeneration(): () => void {
    const before = this.coordination.generation;
    this.coordination.setGeneration(this.#newGeneration());
    return () => this.coordination.setGeneration(before);
  }

  /** Adds a participant. Returns its part of the start message. */
  join(id: string): Pick<StartMessage, "participants" | "state" | "limits" | "generation"> {
    this.#workers.add(id);
    this.#setParticipants();
    return {
      participants: this.coordination.participants(),
      state: this.coordination.full(),
      limits: this.#grantor.join(id),
      generation: this.coordination.generation,
    };
  }

  /** The process of a participant has ended. */
  leave(id: string): void {
    this.#workers.delete(id);
    this.#grantor.leave(id);
    this.#setParticipants();
  }

  receive(worker: WorkerProcess, message: WorkerMessage): void {
    if (message.type === "limits") this.#grantor.report(worker.id, message.report);
    else if (message.type === "state" && this.coordination.receive(message.update)) {
      this.#supervisor?.broadcast({ type: "state", update: message.update as StartMessage["state"] }, worker);
    }
  }

  close(): void {
    this.#grantor.stop();
  }

  #setParticipants(): void {
    this.coordination.setParticipants(this.#workers);
    this.#supervisor?.broadcast({ type: "participants", ids: this.coordination.participants() });
  }

  #newGeneration(): string {
    return `${process.pid}.${++this.#generations}`;
  }
}
