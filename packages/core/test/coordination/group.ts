import { SharedState, type SharedStateOptions } from "../../src/coordination/shared-state.ts";
import type { StateUpdate } from "../../src/coordination/state-update.ts";
import type { Random } from "../../src/runtime/random.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

/** What a carrier does to messages. */
export interface Delivery {
  /** Milliseconds, at most. Each copy has its own delay, so that messages overtake each other. */
  readonly delayMs?: number;
  /** The share that is lost, and that is delivered twice. */
  readonly lost?: number;
  readonly doubled?: number;
}

interface Sent {
  readonly from: string;
  readonly update: StateUpdate;
}

/** Participants on virtual time, and the carrier between them. Messages are copied, as between processes. */
export class Group {
  readonly clock = new VirtualClock();
  readonly states = new Map<string, SharedState>();
  /** Every update that was sent, once. */
  readonly sent: Sent[] = [];
  delivery: Delivery = {};
  readonly #random: Random;

  constructor(random: Random = () => 0) {
    this.#random = random;
  }

  /** Adds a participant, which gets the state of the others. The first one probes, unless the options say otherwise. */
  join(self: string, options: Partial<SharedStateOptions> = {}): SharedState {
    const isProber = () => [...this.states.keys()][0] === self;
    const send = (update: StateUpdate) => this.#broadcast(self, update);
    const state = new SharedState({ clock: this.clock, isProber, ...options, self, send });
    const [first] = this.states.values();
    this.states.set(self, state);
    this.#participantsChanged();
    if (first !== undefined) state.receive(structuredClone(first.full()));
    return state;
  }

  leave(self: string): void {
    this.states.delete(self);
    this.#participantsChanged();
  }

  /** Each participant gets all that every other one knows, at once. */
  reconcile(): void {
    for (const from of this.states.values()) {
      for (const to of this.states.values()) if (to !== from) to.receive(structuredClone(from.full()));
    }
  }

  #participantsChanged(): void {
    for (const state of [...this.states.values()]) state.setParticipants(this.states.keys());
  }

  #broadcast(from: string, update: StateUpdate): void {
    this.sent.push({ from, update });
    const copy = structuredClone(update);
    for (const to of this.states.keys()) if (to !== from) this.#deliver(to, copy);
  }

  #deliver(to: string, update: StateUpdate): void {
    const { delayMs = 0, lost = 0, doubled = 0 } = this.delivery;
    if (this.#random() < lost) return;
    const copies = this.#random() < doubled ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      this.clock.setTimeout(() => this.states.get(to)?.receive(update), this.#random() * delayMs);
    }
  }
}
