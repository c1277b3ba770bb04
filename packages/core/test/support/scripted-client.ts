/**
 * A client in memory. A test plays it: it sends a request with its body, reads slowly, leaves, or sends a malformed rest, and
 * looks at what it has received. Forwarding sees a `ClientExchange` like any other.
 *
 * Everything happens in microtasks, so that nothing is pending after one turn of the event loop, except that long bodies
 * take a turn for each `turnBytes`.
 */

import type { Duplex } from "node:stream";
import type { ErrorCode } from "../../src/errors.ts";
import {
  fieldsOf,
  nothingReceived,
  type ReceivedResponse,
  type TestClient,
} from "../contract/client-exchange-harness.ts";
import { ScriptedExchange, type Sent, windowBytes } from "./scripted-exchange.ts";
import type { ScriptedRequest } from "./scripted-request.ts";

/** What the client has sent of its body and the server has not taken. */
interface Outgoing {
  ended: boolean;
  malformed: ErrorCode | undefined;
}

export class ScriptedClient implements TestClient {
  readonly exchange: ScriptedExchange;
  readonly isUpgrade: boolean;
  readonly early: Buffer;
  paused = false;
  readonly outgoing: Outgoing = { ended: false, malformed: undefined };
  /** Bytes of the body that the server has not taken. */
  unread = 0;
  #chunks: Buffer[] = [];
  #received: Mutable<ReceivedResponse> = { ...nothingReceived, informational: [], headers: [], trailers: [] };
  #bodyChunks: Buffer[] = [];
  #bodyLength = 0;
  #raw: { readonly stream: Duplex; readonly peer: Duplex; readonly count: (bytes: number) => void } | undefined;
  #receivedRaw = "";
  readonly #waiting = new Set<() => void>();

  constructor(request: ScriptedRequest = {}) {
    this.isUpgrade = request.isUpgrade ?? false;
    this.early = Buffer.from(request.early ?? "", "latin1");
    this.exchange = new ScriptedExchange(this, request);
    if (request.body !== undefined && request.bodyLength === undefined) this.send(Buffer.from(request.body));
    if (request.body !== undefined || request.bodyLength === undefined) this.end();
  }

  get received(): ReceivedResponse {
    if (this.#bodyChunks.length > 1) this.#bodyChunks = [Buffer.concat(this.#bodyChunks)];
    this.#received.body = this.#bodyChunks[0] ?? this.#received.body;
    return this.#received;
  }

  /** Resolves as soon as the condition holds; it is checked after each thing that the client receives. */
  when(condition: (received: ReceivedResponse) => boolean): Promise<ReceivedResponse> {
    return new Promise((resolve) => {
      const check = () => {
        if (!condition(this.#received)) return;
        this.#waiting.delete(check);
        resolve(this.received);
      };
      this.#waiting.add(check);
      check();
    });
  }

  /** Resolves when the response is complete or was cut off. */
  ended(): Promise<ReceivedResponse> {
    return this.when(({ complete, closed }) => complete || closed);
  }

  send(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.push(Buffer.from(chunk));
    this.unread += chunk.length;
    this.exchange.schedule();
  }

  end(): void {
    this.outgoing.ended = true;
    this.exchange.schedule();
  }

  sendMalformed(code: ErrorCode = "bad_request"): void {
    this.outgoing.malformed = code;
    this.exchange.schedule();
  }

  get unsent(): number {
    return Math.max(0, this.unread - windowBytes);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.exchange.schedule();
  }

  leave(): void {
    this.#raw?.stream.destroy();
    this.exchange.onLeft();
  }

  sendRaw(text: string): void {
    const bytes = Buffer.from(text, "latin1");
    this.#raw?.count(bytes.length);
    this.#raw?.peer.write(bytes);
  }

  get receivedRaw(): string {
    return this.#receivedRaw;
  }

  // Called by the exchange.

  /** At most so many bytes of the body. */
  take(most: number): Buffer | undefined {
    const first = this.#chunks[0];
    if (first === undefined) return undefined;
    const chunk = first.subarray(0, most);
    if (chunk.length === first.length) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(most);
    this.unread -= chunk.length;
    return chunk;
  }

  onSent(sent: Sent, method: string): void {
    if (sent.kind === "interim") {
      const { status, headers } = sent;
      this.#received.informational = [...this.#received.informational, { status, headers }];
    } else if (sent.kind === "head") {
      Object.assign(this.#received, { status: sent.status, reason: sent.reason, headers: sent.headers });
    } else if (sent.kind === "data") {
      this.#bodyChunks.push(sent.bytes);
      this.#bodyLength += sent.bytes.length;
    } else this.#complete(sent.trailers, method);
    this.#changed();
  }

  onClosed(): void {
    this.#received.closed = true;
    this.#changed();
  }

  onTakenOver(stream: Duplex, peer: Duplex, count: (bytes: number) => void): void {
    this.#raw = { stream, peer, count };
    peer.on("data", (chunk: Buffer) => {
      this.#receivedRaw += chunk.toString("latin1");
    });
  }

  /** A body that is not as long as announced would break the framing of the connection. */
  #complete(trailers: readonly string[], method: string): void {
    const { headers, status } = this.#received;
    const [length] = fieldsOf(headers, "content-length");
    if (length !== undefined && method !== "HEAD" && status !== 304 && Number(length) !== this.#bodyLength) {
      throw new Error(`a body of ${this.#bodyLength} bytes where ${length} were announced`);
    }
    if (length === undefined && this.exchange.httpVersion !== "1.0") this.#received.trailers = trailers;
    this.#received.complete = true;
  }

  #changed(): void {
    for (const check of this.#waiting) check();
  }
}

type Mutable<Value> = { -readonly [Key in keyof Value]: Value[Key] };
