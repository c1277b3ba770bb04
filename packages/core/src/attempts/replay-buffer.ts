import type { Exchange } from "../transport/transport.ts";

/**
 * A copy of what was read of a request's body, so that another attempt can send it again. A body that grows over the limit
 * loses its copy, and with it only the right to another attempt.
 */
export class ReplayBuffer {
  readonly #limit: number;
  #chunks: Uint8Array[] | undefined;
  #size = 0;

  /** `limit` is in bytes. Of a body whose known `length` is over the limit nothing is copied; -1 is an unknown length. */
  constructor(limit: number, length: number) {
    this.#limit = limit;
    this.#chunks = length > limit ? undefined : [];
  }

  /** A body that is in memory as a whole can be sent again whatever its size. */
  static of(body: Uint8Array): ReplayBuffer {
    const buffer = new ReplayBuffer(Infinity, body.length);
    buffer.add(body);
    return buffer;
  }

  /** It holds every byte that was added. */
  get complete(): boolean {
    return this.#chunks !== undefined;
  }

  add(chunk: Uint8Array): void {
    this.#size += chunk.length;
    if (this.#size > this.#limit) this.#chunks = undefined;
    else this.#chunks?.push(chunk);
  }

  /** Adds a chunk that no attempt has been sent yet, whatever the limit: the next one begins with it. */
  addUnsent(chunk: Uint8Array): void {
    this.#size += chunk.length;
    this.#chunks?.push(chunk);
  }

  /** Writes the copy to an exchange. */
  replay(exchange: Pick<Exchange, "write">): void {
    if (this.#chunks !== undefined) for (const chunk of this.#chunks) exchange.write(chunk);
  }

  /** For a request that makes no attempt any more. */
  drop(): void {
    this.#chunks = undefined;
  }
}
