import type { Exchange } from "../transport/transport.ts";

/**
 * A copy of the request body read so far, which another attempt sends again. A body over the limit drops its copy: the
 * request goes on, but cannot be retried.
 */
export class ReplayBuffer {
  readonly #limit: number;
  #chunks: Uint8Array[] | undefined;
  #size = 0;

  /** Both in bytes; a `length` of -1 is unknown. A body whose length is known to exceed the limit is not copied at all. */
  constructor(limit: number, length: number) {
    this.#limit = limit;
    this.#chunks = length > limit ? undefined : [];
  }

  /** For a body that is in memory already: no limit. */
  static of(body: Uint8Array): ReplayBuffer {
    const buffer = new ReplayBuffer(Infinity, body.length);
    buffer.add(body);
    return buffer;
  }

  /** The copy holds every byte that was added. */
  get complete(): boolean {
    return this.#chunks !== undefined;
  }

  add(chunk: Uint8Array): void {
    this.#size += chunk.length;
    if (this.#size > this.#limit) this.#chunks = undefined;
    else this.#chunks?.push(chunk);
  }

  /** Adds a chunk that no attempt has sent yet. The limit does not apply, since the next attempt must begin with it. */
  addUnsent(chunk: Uint8Array): void {
    this.#size += chunk.length;
    this.#chunks?.push(chunk);
  }

  replay(exchange: Pick<Exchange, "write">): void {
    if (this.#chunks !== undefined) for (const chunk of this.#chunks) exchange.write(chunk);
  }

  /** Frees the copy once no further attempt is possible. */
  drop(): void {
    this.#chunks = undefined;
  }
}
