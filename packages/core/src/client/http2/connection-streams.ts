import type { Http2ServerExchange } from "./http2-server-exchange.ts";

/** How a stream was closed: by END_STREAM in both directions, by our RST_STREAM, or by the client's. */
export type StreamEnd = "ended" | "reset" | "cancelled";

/** The number of streams whose end is remembered. Frames that were on their way when a stream was closed arrive before that. */
const remembered = 128;

const ends: readonly StreamEnd[] = ["ended", "reset", "cancelled"];

/** The streams of a connection: those that are open, and the ends of those that were closed last. */
export class ConnectionStreams {
  /** The highest stream that the client has opened. */
  lastId = 0;
  readonly #open = new Map<number, Http2ServerExchange>();
  readonly #closedIds = new Uint32Array(remembered);
  readonly #closedEnds = new Uint8Array(remembered);
  #nextClosed = 0;

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
    this.#closedIds[this.#nextClosed] = id;
    this.#closedEnds[this.#nextClosed] = ends.indexOf(end);
    this.#nextClosed = (this.#nextClosed + 1) % remembered;
  }

  /** How a stream was closed; undefined for one that was never opened, or is forgotten. */
  endOf(id: number): StreamEnd | undefined {
    const at = this.#closedIds.lastIndexOf(id);
    return at === -1 ? undefined : ends[this.#closedEnds[at] as number];
  }

  /** Closes all streams, whose responses are not complete. */
  abortAll(): void {
    const streams = this.all();
    this.#open.clear();
    for (const stream of streams) stream.onAborted();
  }
}
