/** What is thrown at a proxy from both sides: one connection of a client, and what the upstreams make of its requests. */

import type { Mutation } from "./mutations.ts";
import type { Cuts } from "./pacing.ts";

/** How somebody leaves who has not come to the end. */
export type Leaving = "fin" | "rst";

export interface ClientPlan {
  /** Requests, one behind the other, with places for the tags. */
  readonly requests: readonly string[];
  readonly mutations: readonly Mutation[];
  readonly cuts: Cuts;
  /** Leaves behind so many bytes sent or received, modulo the number of bytes. */
  readonly leave: { readonly how: Leaving; readonly side: "sent" | "received"; readonly at: number } | undefined;
}

/** What an upstream says to one request. */
export interface Play {
  /** With places for the tag. */
  readonly bytes: string;
  /** A WebSocket's handshake is answered with a 101 that is in order instead. */
  readonly switches: boolean;
  readonly mutations: readonly Mutation[];
  readonly cuts: Cuts;
  /** Said when the head has come, without waiting for the body. */
  readonly early: boolean;
  /** How the connection ends behind it. What leaves a reader waiting is always ended. */
  readonly end: Leaving | "keep";
  /** The end comes behind so many bytes, modulo their number. */
  readonly truncateAt: number | undefined;
}

export interface Input {
  readonly client: ClientPlan;
  /** By turns, in the order in which requests arrive. */
  readonly plays: readonly Play[];
}
