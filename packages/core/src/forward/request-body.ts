import type { IncomingMessage } from "node:http";
import { ReplayBuffer } from "../attempts/replay-buffer.ts";
import { onParseError } from "../client/node/incomplete-request.ts";
import { limits } from "../config/defaults.ts";
import type { ErrorCode } from "../errors.ts";
import { bindContext } from "../runtime/async-context.ts";
import type { Clock } from "../runtime/clock.ts";
import { type Ticker, type Timed, tickerOf } from "../runtime/ticker.ts";
import type { Exchange } from "../transport/transport.ts";

/** Who answers the request when its body does not come as it should. */
export interface BodyOwner {
  /** It is too large, has stopped coming, or is not what a body is made of. */
  onBodyFault(code: ErrorCode): void;
}

/** A request's body as whoever relays the request sees it. */
export type Body = Pick<
  RequestBody,
  ("length" | "bytesRead" | "complete" | "replayable") | ("attach" | "detach" | "discard" | "release" | "onDrain")
>;

/** What most requests have: nothing to send, nothing to wait for, the same for all. */
export const noBody: Body = Object.freeze({
  length: 0,
  bytesRead: 0,
  complete: true,
  replayable: true,
  attach() {},
  detach() {},
  discard() {},
  release() {},
  onDrain() {},
});

/**
 * A request's body on its way to an upstream, streamed with the upstream's pace and, while it is small, copied, so that
 * another attempt can send it again.
 *
 * Nothing is read before the first connection stands: a body is whole for as long as nobody could be reached.
 * Past the limit of the copy only the right to another attempt is lost. A client that falls silent in the middle, or sends
 * next to nothing, is not waited for; an upstream that does not read is not the client's fault.
 */
export class RequestBody implements Timed {
  deadline: number = Infinity;
  /** 0 for none, -1 when it is not known before its end. */
  readonly length: number;
  bytesRead = 0;
  /** The last byte has been read. */
  complete: boolean;
  readonly #req: IncomingMessage;
  readonly #maxBytes: number;
  readonly #onFault: (code: ErrorCode) => void;
  readonly #clock: Clock;
  readonly #ticker: Ticker;
  readonly #timeoutMs: number;
  readonly #minRate: number;
  #waitedMs = 0;
  #waitingSince = 0;
  readonly #beforeReading: (() => void) | undefined;
  readonly #copy: ReplayBuffer;
  #started = false;
  #discarding = false;
  #bytesBefore = 0;
  #pieces = 0;
  #exchange: Exchange | undefined;

  constructor(
    req: IncomingMessage,
    options: {
      readonly length: number;
      readonly copyLimit: number;
      readonly maxBytes: number;
      /** What a parser in front of the proxy has read already. */
      readonly parsed: Uint8Array | undefined;
      readonly clock: Clock;
      /** The longest silence; 0 is none. */
      readonly timeoutMs: number;
      /** Bytes for each second of waiting, once `timeoutMs` of it are used up; 0 is none. */
      readonly minRate: number;
      readonly owner: BodyOwner;
      /** Called once, before its first byte is read. */
      readonly beforeReading?: (() => void) | undefined;
    },
  ) {
    this.#req = req;
    this.length = options.parsed?.length ?? options.length;
    this.#maxBytes = options.maxBytes;
    // The client's bytes and the ticker call from outside the request's context.
    this.#onFault = bindContext((code) => options.owner.onBodyFault(code));
    this.#clock = options.clock;
    this.#ticker = tickerOf(options.clock);
    this.#timeoutMs = options.timeoutMs;
    this.#minRate = options.minRate;
    this.#beforeReading = options.beforeReading;
    this.complete = this.length === 0;
    if (options.parsed === undefined) {
      this.#copy = new ReplayBuffer(options.copyLimit, this.length);
    } else {
      this.#copy = ReplayBuffer.of(options.parsed);
      this.bytesRead = options.parsed.length;
      this.#started = true;
      this.complete = true;
    }
    // Somebody in front may have set it flowing, and what flows before there is a connection would be lost.
    if (!this.complete) {
      req.pause();
      onParseError(req, this.#onFault);
    }
  }

  /** Every byte read so far can be sent again. */
  get replayable(): boolean {
    return this.#copy.complete || !this.#started;
  }

  /** Sends the body through an exchange whose connection stands: what is copied first, then what is still to come. */
  attach(exchange: Exchange): void {
    if (this.length === 0) return;
    this.#exchange = exchange;
    this.#copy.replay(exchange);
    if (this.complete) return exchange.end();
    if (!this.#started) this.#start();
    this.#flow();
  }

  /** Stops sending; what is still to come waits. */
  detach(): void {
    this.#exchange = undefined;
    if (this.#started && !this.complete) this.#hold();
  }

  /** Lets what is left of it be read by nobody, so that the client gets to see its answer. */
  discard(): void {
    this.detach();
    if (this.complete) return;
    this.#discarding = true;
    this.#req.resume();
  }

  /** Nobody waits for it any more. */
  release(): void {
    this.#ticker.forget(this);
  }

  onDeadline(): void {
    this.deadline = Infinity;
    this.#onFault("request_timeout");
  }

  onDrain(): void {
    if (this.#exchange !== undefined && !this.complete) this.#flow();
  }

  #start(): void {
    this.#started = true;
    this.#beforeReading?.();
    this.#bytesBefore = this.#req.socket.bytesRead;
    if (this.#timeoutMs > 0) this.#ticker.watch(this);
    this.#req.on("data", (chunk: Buffer) => this.#onData(chunk));
    this.#req.on("end", () => {
      this.complete = true;
      this.release();
      this.#exchange?.end();
    });
  }

  /** Lets it come, and starts waiting. */
  #flow(): void {
    if (this.#timeoutMs > 0) this.#wait(this.#clock.now());
    this.#req.resume();
  }

  /** Lets it wait for us. */
  #hold(): void {
    this.deadline = Infinity;
    this.#req.pause();
  }

  #onData(chunk: Buffer): void {
    this.bytesRead += chunk.length;
    if (this.#discarding) return;
    this.#pieces++;
    if (this.length === -1 && this.#isPadded()) {
      this.detach();
      this.#onFault("bad_request");
      return;
    }
    if (this.bytesRead > this.#maxBytes) {
      this.detach();
      this.#onFault("body_too_large");
      return;
    }
    this.#copy.add(chunk);
    const taken = this.#exchange?.write(chunk) !== false;
    if (this.#timeoutMs > 0) {
      const now = this.#clock.now();
      this.#waitedMs += now - this.#waitingSince;
      this.#wait(now);
    }
    if (!taken) this.#hold();
  }

  /** For the next bytes, and no longer than a body at the lowest rate allowed would have taken up to them. */
  #wait(now: number): void {
    this.#waitingSince = now;
    const earnedMs = this.#minRate > 0 ? (this.bytesRead / this.#minRate) * 1_000 : Infinity;
    this.deadline = now + Math.min(this.#timeoutMs, this.#timeoutMs + earnedMs - this.#waitedMs);
  }

  /**
   * Whether far more bytes have come than data. Node's parser bounds the extensions of each chunk, and not those of all
   * (CVE-2024-22019 in its first form): a body of single bytes with kilobytes of extensions would cost more than it is worth.
   */
  #isPadded(): boolean {
    const overhead = this.#req.socket.bytesRead - this.#bytesBefore - this.bytesRead;
    return overhead > limits.chunkOverheadBytes + this.#pieces * limits.chunkOverheadPerPiece;
  }
}
