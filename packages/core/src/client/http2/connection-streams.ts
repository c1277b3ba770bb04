import type { Http2ServerExchange } from "./http2-server-exchange.ts";

/** How a stream was closed: by END_STREAM in both directions, by our RST_STREAM, or by the client's. */
export type StreamEnd = "ended" | "reset" | "cancelled";

/** The last streams that were closed in one way. Bounded: frames that were on their way then arrive before it is forgotten. */
class ClosedStreams {
  readonly #ids = new Uint32Array(64);
  #next = 0;

  add(id: number): void {
    this.#ids[this.#next] = id;
    this.#next = (this.#next + 1) % this.#ids.length;
  }

  has(id: number): boolean {
    return this.#ids.includes(id);
  }
}

const ends: readonly StreamEnd[] = ["ended", "reset", "cancelled"];

/** The streams of a connection: those that are open, and the ends of those that were closed last. */
export class ConnectionStreams {
  /** The highest stream that the client has opened. */
  lastId = 0;
  readonly #open = new Map<number, Http2ServerExchange>();
  /** Apart, so that a stream that was reset is not forgotten over those that end in order. */
  readonly #closed: Readonly<Record<StreamEnd, ClosedStreams>> = {
    ended: new ClosedStreams(),
    reset: new ClosedStreams(),
    cancelled: new ClosedStreams(),
  };

  get size(): number {
    return this.#open.size;
  }

  get(id: number): Http2ServerExchange | undefined {
    return this.#open.get(id);
  }

  all(): Http2ServerExchange[] {
    return [...this.#open.values()];
  }

  add(stream: Http2ServerExchange): void {
    this.#open.set(stream.id, stream);
  }

  /** Closes a stream; undefined when it is not open. */
  close(id: number, end: StreamEnd): Http2ServerExchange | undefined {
    const stream = this.#open.get(id);
    if (stream === undefined) return undefined;
    this.#open.delete(id);
    this.remember(id, end);
    return stream;
  }

  remember(id: number, end: StreamEnd): void {
    this.#closed[end].add(id);
  }

  /** How a stream was closed; undefined for one that was never opened, or is forgotten. */
  endOf(id: number): StreamEnd | undefined {
    return ends.find((end) => this.#closed[end].has(id));
  }

  /** Closes all streams, whose responses are not complete. */
  abortAll(): void {
    const streams = this.all();
    this.#open.clear();
    for (const stream of streams) stream.onAborted();
  }
}
